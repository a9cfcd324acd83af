import assert from "node:assert/strict";
import { BOOT_ID } from "../../../../src/linux/proc.ts";
import { type Link, linkFor } from "../../../../src/machines/network/veth.ts";
import { standalone } from "../../../../src/machines/supervisor/standalone.ts";
import { type Answer, inFolder, type Recording } from "../../recording_host.ts";
import { leaseOf, SETTINGS, specOf } from "../fixture.ts";
import { FACTS, standaloneHost, statOf } from "./standalone_host.ts";

const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/cg/m",
  dropped: [],
  noNewPrivileges: true,
  filtered: true,
};
const quiet = new AbortController().signal;

interface Scene {
  /** What nspawn's children are, as the kernel lists them. */
  readonly children?: string;
  /** What the machine's systemd answers, one answer a call; the last one for ever. */
  readonly states?: readonly string[];
  /** Whether nspawn ends at once. */
  readonly ends?: boolean;
  /** What nspawn said by then. */
  readonly log?: string;
  /** How many looks find that PID 1 still has all that nspawn takes away. */
  readonly whole?: number;
}

/** A host on which nspawn is process 1000, and PID 1 of what it starts is 77. */
function sceneHost(folder: string, scene: Scene): Recording {
  const states = [...scene.states ?? ["running"]];
  let whole = scene.whole ?? 0;
  const recording = standaloneHost(folder, (argv): Answer | void | Promise<Answer> => {
    if (argv.includes("systemd-nspawn")) return new Promise(() => {}); // lives on
    if (argv.includes("is-system-running")) {
      return { stdout: `${states.length > 1 ? states.shift() : states[0]}\n` };
    }
    if (argv[0] !== "cat") return;
    if (argv.includes("/cg/m/log/cgroup.procs")) return { stdout: "" };
    if (argv.includes("/proc/1000/stat")) return { stdout: scene.ends ? "" : statOf(1000, 1) };
    if (argv.some((word) => word.endsWith("/children"))) {
      return { stdout: scene.children ?? "76 77 " };
    }
    if (argv.includes("/proc/76/status")) return { stdout: "NSpid:\t76\n" };
    if (argv.length === 3 && argv.includes("/proc/77/status")) return { stdout: "NSpid:\t77\t1\n" };
    if (argv.includes("/proc/77/stat")) {
      return {
        stdout: `${statOf(77, 9)}CapBnd:\t1ffffffffff\nNoNewPrivs:\t${
          whole-- > 0 ? 0 : 1
        }\n0::/m\n40\n${FACTS.split("\n")[3]}`,
      };
    }
  });
  return recording;
}

async function start(
  folder: string,
  scene: Scene,
  seconds = 1,
  signal = quiet,
  link: Link | null = null,
) {
  const recording = sceneHost(folder, scene);
  const spec = specOf({ settings: { ...SETTINGS, prepare_timeout: seconds }, link });
  const { host } = recording;
  if (scene.log !== undefined) {
    await host.files.makeDirectory("/run/nspawn-runner");
    await host.files.write(spec.paths.log, scene.log);
  }
  const lease = leaseOf("/store", "42", { supervisor: "standalone", cgroups: ["/cg/m", "/twin"] });
  return { ...recording, spec, started: standalone.start(host, spec, lease, signal) };
}

Deno.test("standalone.start() waits until the machine's systemd has booted, from inside its cgroup", async () => {
  await inFolder(async (folder) => {
    const { started, processes } = await start(folder, { states: ["", "starting", "degraded"] });
    assert.equal((await started).pid, 77);
    const asked = processes.filter(({ argv }) => argv.includes("is-system-running"));
    assert.equal(asked.length, 3);
    assert.deepEqual(asked[0]!.argv.slice(3), [
      ...["sh", "/cg/m/prepare", "timeout", "1"],
      ...["setpriv", "--inh-caps=-all", "--no-new-privs", "--"],
      ...["nsenter", "--target=77", "--all", "--"],
      ...["systemctl", "is-system-running", "--wait"],
    ]);
    // A killed prepare must not leave a client behind, nor one that has our environment.
    assert.deepEqual(Object.keys(asked[0]!.options.env ?? {}), ["PATH", "LANG"]);
    assert.ok("signal" in asked[0]!.options);
  });
});

Deno.test("standalone.start() connects a machine by the PID 1 that nspawn has for a child", async () => {
  await inFolder(async (folder) => {
    const link = linkFor("10.231.0.0/19", 3, false, 10);
    const { started, processes } = await start(folder, {}, 1, quiet, link);
    await started;
    const { argv } = processes.find(({ argv }) => argv.includes("nr-3"))!;
    assert.deepEqual(argv.slice(4, 6), ["nr-3", "77"]);
  });
});

Deno.test("standalone.start() enters no machine that has more than it is to", async () => {
  await inFolder(async (folder) => {
    const { started, host, processes } = await start(folder, { whole: 3 });
    const began = host.clock.now();
    await started;
    assert.ok(host.clock.now() > began, "it waits");
    const entered = processes.filter(({ argv }) => argv.includes("is-system-running"));
    assert.equal(entered.length, 1);
  });
});

Deno.test("standalone.start() gives nspawn words, a log and nothing of our environment", async () => {
  await inFolder(async (folder) => {
    const { started, processes, spec } = await start(folder, {});
    await started;
    const { argv, options } = processes.find(({ argv }) => argv.includes("systemd-nspawn"))!;
    const nspawn = argv.indexOf("systemd-nspawn");
    assert.deepEqual(argv.slice(3, 7), ["sh", "/cg/m", "sh", "-euc"]);
    assert.match(argv[7]!, /^mkfifo .*^exec "\$@" >&5 2>&1 /ms);
    assert.deepEqual(argv.slice(8, nspawn), ["sh", spec.paths.log, "/cg/m/log"]);
    assert.deepEqual(argv.slice(nspawn, nspawn + 5), [
      ...["systemd-nspawn", "--quiet", "--machine=run-42", "--register=no", "--keep-unit"],
    ]);
    assert.deepEqual(options.env, {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
      SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
      SYSTEMD_SECCOMP: "1",
    });
  });
});

Deno.test("standalone.start() of a machine that never boots fails when its time is over", async () => {
  for (const scene of [{ states: ["starting"] }, { states: ["maintenance"] }, { children: "" }]) {
    await inFolder(async (folder) => {
      const { started, host } = await start(folder, scene, 30);
      const began = host.clock.now();
      await assert.rejects(started, {
        kind: "host",
        message: "Cannot start machine run-42: it was not ready within 30 s",
        hint: "prepare_timeout gives it more",
      });
      const waited = host.clock.now() - began;
      assert.ok(waited >= 30_000 && waited < 31_000, `${waited} ms`);
    });
  }
});

Deno.test("standalone.start() that is interrupted waits no longer", async () => {
  await inFolder(async (folder) => {
    const { started, host } = await start(folder, { children: "" }, 30, AbortSignal.abort());
    const began = host.clock.now();
    await assert.rejects(started, { kind: "host" });
    assert.equal(host.clock.now(), began);
  });
});

Deno.test("standalone.start() tells the last line first, and those before it, when nspawn ends", async () => {
  await inFolder(async (folder) => {
    const log = Array.from({ length: 50 }, (_, number) => `line ${number}`).join("\n");
    const { started, host } = await start(folder, { ends: true, log: `${log}\n\n` }, 30);
    const began = host.clock.now();
    await assert.rejects(started, (error: Error) => {
      const lines = error.message.split("\n");
      assert.equal(lines[0], "Cannot start machine run-42: line 49");
      assert.deepEqual([lines.length, lines[1], lines.at(-1)], [20, "line 30", "line 48"]);
      return true;
    });
    assert.equal(host.clock.now(), began, "nobody waits for what has ended");
  });
});

Deno.test("standalone.start() shows no line that nspawn did not say", async () => {
  await inFolder(async (folder) => {
    const { started } = await start(folder, { ends: true });
    await assert.rejects(started, {
      message: "Cannot start machine run-42: it ended without a word",
    });
  });
});

/** Whether the machine of a lease is alive, where the kernel says this of its pid. */
async function alive(stat: string, boot = "boot-1", leader: typeof LEADER | null = LEADER) {
  let is = false;
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, (argv): Answer | void => {
      if (argv[0] === "cat") return { stdout: (argv.includes(BOOT_ID) ? "boot-1\n" : "") + stat };
    });
    const changes = { supervisor: "standalone", boot, leader } as const;
    is = await standalone.isAlive(host, leaseOf("/store", "42", changes));
  });
  return is;
}

Deno.test("standalone.isAlive() knows its own machine from any other process", async () => {
  assert.ok(await alive(statOf(77, 9)));
  assert.ok(!await alive(statOf(77, 10)), "another process of that pid");
  assert.ok(!await alive(""), "no process of that pid");
  assert.ok(!await alive(statOf(77, 9).replace(" S ", " Z ")), "dead, not yet reaped");
  assert.ok(!await alive(statOf(77, 9), "boot-0"), "another boot");
  assert.ok(!await alive(statOf(77, 9), "boot-1", null), "it never ran");
});

/** Stops a machine whose PID 1 goes after so many looks. */
async function stop(looks: number) {
  let recording!: Recording;
  await inFolder(async (folder) => {
    recording = standaloneHost(folder, (argv): Answer | void => {
      if (argv[0] === "cat") return { stdout: `boot-1\n${looks-- > 0 ? statOf(77, 9) : ""}` };
    });
    const changes = { supervisor: "standalone", boot: "boot-1", leader: LEADER } as const;
    const lease = leaseOf("/store", "42", { ...changes, cgroups: ["/cg/m", "/twin"] });
    await standalone.stop(recording.host, lease);
  });
  return recording;
}

Deno.test("standalone.stop() kills PID 1, waits, and lets nspawn tidy up before its cgroup goes", async () => {
  const { killed, processes } = await stop(5);
  assert.deepEqual(killed, [{ pid: 77, signal: "SIGKILL" }]);
  const names = processes.map(({ argv }) => argv[0]);
  assert.deepEqual(names, [...Array(6).fill("cat"), "sh"]);
  assert.deepEqual(processes.at(-1)!.argv.slice(3), ["sh", "500", "/cg/m", "/twin"]);
});

Deno.test("standalone.stop() signals nobody where the machine is gone, and still removes its cgroup", async () => {
  const { killed, processes } = await stop(0);
  assert.deepEqual(killed, []);
  assert.deepEqual(processes.at(-1)!.argv.slice(4), ["500", "/cg/m", "/twin"]);
});

Deno.test("standalone.stop() waits for no machine without end", async () => {
  const { host, processes } = await stop(Infinity);
  assert.ok(host.clock.now() - Date.UTC(2030, 0, 1) < 11_000);
  assert.equal(processes.at(-1)!.argv[0], "sh", "what holds it is killed with its cgroup");
});
