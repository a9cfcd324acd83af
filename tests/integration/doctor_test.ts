/** The doctor command on real hosts. */

import assert from "node:assert/strict";
import { until } from "../hosts/init_process.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, type Settings, type Site } from "../hosts/site.ts";
import { withStore } from "./store.ts";
import { skip } from "../skip.ts";

interface Row {
  readonly topic: string;
  readonly state: string;
  readonly found: string;
}

onEachHost(
  "doctor reports what a host can do, and ends with 1 where jobs do not run",
  async (site) => {
    const done = await site.call(["doctor", "--json"]);
    const rows: Row[] = JSON.parse(done.stdout);
    const stateOf = (topic: string) => rows.find((row) => row.topic === topic)?.state;
    assert.deepEqual([done.code, stateOf("systemd-nspawn"), stateOf("store"), stateOf("storage")], [
      0,
      "ok",
      "ok",
      "ok",
    ], done.stdout);
    for (const topic of ["nftables", "forwarding", "DNS"]) {
      assert.equal(stateOf(topic), "ok", topic);
    }
    assert.match(rows.find(({ topic }) => topic === "chroots")!.found, new RegExp(CHROOT));
    assert.equal(stateOf(`chroot ${CHROOT}`), undefined);
    const opened = await site.with({ network_allow: ["0.0.0.0/0"], nesting: true });
    await opened.put('capabilities = ["CAP_SYS_PTRACE"]\n', `${opened.definitions}/${CHROOT}.toml`);
    const { stdout } = await opened.call(["doctor"]);
    for (const topic of ["all chroots", `chroot ${CHROOT}`, "network_allow"]) {
      assert.match(stdout, new RegExp(`^${topic} +weak +`, "m"));
    }
    assert.equal(stateOf("limits"), await enforcesLimits(site) ? "ok" : "weak");
    const unknown = await site.call(["doctor", "--machine", "no-such-image"]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stdout, /^machine +broken +/m);
    await withStore(site, {}, async (own) => {
      await own.host.exec(["mkdir", "-p", own.store]);
      const broken = await own.call(["doctor"]);
      assert.equal(broken.code, 1);
      assert.match(broken.stdout, /^chroots +broken +none is ready$/m);
      assert.match(broken.stdout, /^broken: chroots: nspawn-runner chroot-create/m);
      assert.match(broken.stderr, /Cannot run jobs on this host: chroots/);
    });
  },
);

onEachHost(
  "doctor names settings of the host and the configuration that weaken promises",
  async (site) => {
    const ofKernel = async (name: string) =>
      (await site.host.exec(["cat", `/proc/sys/kernel/${name}`])).stdout.trim();
    const expected: Record<string, string> = {
      "core dumps": /^[|@]/.test(await ofKernel("core_pattern")) ? "weak" : "ok",
      bpf: await ofKernel("unprivileged_bpf_disabled") === "0" ? "weak" : "ok",
      perf: Number(await ofKernel("perf_event_paranoid")) < 2 ? "weak" : "ok",
      "kernel log": await ofKernel("dmesg_restrict") === "0" ? "weak" : "ok",
      "disk reserve": "weak",
      "other hosts": "broken",
    };
    if (site.host.kind === "systemd") expected["processes"] = "weak";
    await withStore(site, { disk_reserve: "1", "limits.tasks_max": "infinity" }, async (own) => {
      const lease = { version: 1, machine: "run-42", store: own.store, host: "another", boot: "b" };
      await own.host.exec(["mkdir", "-p", `${own.store}/.leases`]);
      await own.put(JSON.stringify(lease), `${own.store}/.leases/run-42.json`);
      const rows: Row[] = JSON.parse((await own.call(["doctor", "--json"])).stdout);
      const stateOf = (topic: string) => rows.find((row) => row.topic === topic)?.state;
      const found = Object.fromEntries(
        Object.keys(expected).map((topic) => [topic, stateOf(topic)]),
      );
      assert.deepEqual(found, expected);
      // A host in a container may have no device to try it with.
      const devices = site.host.kind === "systemd" ? /^(ok|unknown)$/ : /^undefined$/;
      assert.match(`${stateOf("devices")}`, devices);
      const swaps = (await site.host.exec(["cat", "/proc/swaps"])).stdout.trim().split("\n");
      assert.match(`${stateOf("swap")}`, swaps.length === 1 ? /^ok$/ : /^(ok|weak|unknown)$/);
    });
  },
);

/** Whether the host enforces all limits, which depends on the machine that the tests run on. */
async function enforcesLimits({ host }: Site): Promise<boolean> {
  const { stdout } = await host.exec(["cat", "/sys/fs/cgroup/cgroup.controllers"]);
  const controllers = stdout.trim().split(/\s+/);
  return host.kind === "systemd" &&
    ["cpu", "memory", "pids", "io"].every((name) => controllers.includes(name));
}

/** The states of all probes in a machine, by topic. */
async function inside(site: Site, settings: Settings): Promise<Readonly<Record<string, string>>> {
  const own = await site.with(settings);
  const done = await own.call(["doctor", "--json", "--machine", CHROOT], { timeout: 120_000 });
  assert.equal(done.code, 0, done.stdout + done.stderr);
  const rows: Row[] = JSON.parse(done.stdout);
  const looks = rows.filter(({ topic }) => topic.startsWith("inside: "));
  return Object.fromEntries(looks.map(({ topic, state }) => [topic.slice(8), state]));
}

const METADATA = "169.254.169.254";

/** Gives the host a metadata service, as in a cloud. */
async function withMetadata(site: Site, body: () => Promise<void>): Promise<void> {
  await site.host.exec(["ip", "address", "add", `${METADATA}/32`, "dev", "lo"]);
  const serve = ["python3", "-m", "http.server", "--bind", METADATA, "80"];
  const listener = site.host.start(serve, { timeout: 300_000 });
  try {
    const ask = ["bash", "-c", `: >/dev/tcp/${METADATA}/80`];
    const up = await until(async () => (await site.host.exec(ask)).code === 0 || null, 60_000);
    assert.ok(up, "the metadata service of the test answers");
    await body();
  } finally {
    await site.host.signal(listener, "SIGKILL");
    await listener.ended;
    await site.host.exec(["ip", "address", "del", `${METADATA}/32`, "dev", "lo"]);
  }
}

/** Settings with which root of a machine can do everything, as in the tests of escapes. */
const UNPROTECTED: Settings = {
  private_users: "off",
  seccomp: false,
  network: "host",
  capabilities: ["CAP_MKNOD", "CAP_SYS_ADMIN"],
};

/** Succeeds where the host has a block device that root can open: a container may have none. */
const OPENS_A_DISK = `for node in /dev/*; do
  [ -b "$node" ] && ( : <"$node" ) 2>/dev/null && exit
done
exit 1`;

onEachHost("doctor --machine finds from inside which promises are kept", async (site) => {
  const hasDisk = (await site.host.exec(["sh", "-c", OPENS_A_DISK])).code === 0;
  if (!hasDisk) {
    skip(`the doctor looks for disks (${site.host.kind} host)`, "this host has no disk");
  }
  const ok = {
    ...{ git: "ok", "user ids": "ok", network: "ok", kernel: "ok" },
    ...{ disks: hasDisk ? "ok" : "unknown", "read-only binds": "ok", "system calls": "ok" },
  };
  // The tests may run in a cloud, with a metadata service of its own.
  await site.host.exec(["ip", "route", "add", "unreachable", METADATA]);
  assert.deepEqual(await inside(site, {}), { ...ok, metadata: "unknown" });
  await site.host.exec(["ip", "route", "del", "unreachable", METADATA]);
  await withMetadata(site, async () => {
    assert.deepEqual(await inside(site, {}), { ...ok, metadata: "ok" });
    const open = await inside(site, { network_allow: [METADATA], boot: false });
    assert.deepEqual(open, { ...ok, metadata: "weak" });
    for (const boot of [true, false]) {
      assert.deepEqual(await inside(site, { ...UNPROTECTED, boot }), {
        ...{ git: "ok", "user ids": "weak", network: "weak", metadata: "weak", kernel: "weak" },
        // The unit of a machine opens no disk, whatever its root may do.
        disks: !hasDisk ? "unknown" : site.host.kind === "systemd" ? "ok" : "weak",
        ...{ "read-only binds": "weak", "system calls": "weak" },
      });
    }
  });
});
