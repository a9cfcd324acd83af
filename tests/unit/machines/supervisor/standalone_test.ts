import assert from "node:assert/strict";
import { END_CGROUP_SCRIPT } from "../../../../src/linux/cgroups.ts";
import { type Veth, vethFor } from "../../../../src/machines/network/veth.ts";
import { SHORT_OUTPUT_SCRIPT } from "../../../../src/machines/exec/enter.ts";
import { LIMIT_TABLES_SCRIPT } from "../../../../src/machines/supervisor/host_tables.ts";
import { standalone } from "../../../../src/machines/supervisor/standalone.ts";
import { type Answer, inFolder, type Recording } from "../../recording_host.ts";
import { answerCat, HOST_FILES, type KernelFiles, processFiles, statOf } from "../fake_kernel.ts";
import { leaseOf, SETTINGS, specOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/cg/m",
  dropped: [],
  noNewPrivileges: true,
  filtered: true,
};
const never = new AbortController().signal;

interface Scene {
  /** The children of nspawn, as the kernel lists them. */
  readonly children?: string;
  /** Answers of the machine's systemd, one per call; the last one is repeated. */
  readonly states?: readonly string[];
  /** Whether nspawn ends at once. */
  readonly hasEnded?: boolean;
  /** The output of nspawn. */
  readonly log?: string;
  /** How often the status of PID 1 is read before nspawn has dropped its privileges. */
  readonly readsWithPrivileges?: number;
}

/** A host on which nspawn is process 1000, and the machine's PID 1 is process 77. */
function sceneHost(folder: string, scene: Scene): Recording {
  const states = [...scene.states ?? ["running"]];
  let reads = 0;
  const noNewPrivileges = () => ++reads > (scene.readsWithPrivileges ?? 0);
  const files: KernelFiles = {
    ...HOST_FILES,
    "/proc/1000/stat": scene.hasEnded ? "" : statOf(1000, 1),
    "/proc/1000/task/1000/children": scene.children ?? "76 77 ",
    ...processFiles({ pid: 76, start: 8, isInit: false }),
    ...processFiles({ pid: 77, start: 9, isInit: true, noNewPrivileges }),
  };
  return standaloneHost(folder, (argv): Answer | void | Promise<Answer> => {
    if (argv.includes("systemd-nspawn")) return new Promise(() => {}); // it keeps running
    if (argv.includes("is-system-running")) {
      return { stdout: `${states.length > 1 ? states.shift() : states[0]}\n` };
    }
    return answerCat(argv, files);
  });
}

async function start(
  folder: string,
  scene: Scene,
  seconds = 1,
  signal = never,
  link: Veth | null = null,
) {
  const recording = sceneHost(folder, scene);
  const paths = { ...specOf().paths, result: `${folder}/result` };
  await Deno.writeTextFile(paths.result, "ready\n");
  const spec = specOf({ settings: { ...SETTINGS, prepare_timeout: seconds }, link, paths });
  const { host } = recording;
  if (scene.log !== undefined) {
    await host.files.makeDirectory("/run/nspawn-runner");
    await host.files.write(spec.paths.log, scene.log);
  }
  const lease = leaseOf("/store", "42", { supervisor: "standalone", cgroups: ["/cg/m", "/twin"] });
  return { ...recording, spec, started: standalone.start(host, spec, lease, signal) };
}

Deno.test("standalone.start() waits until the machine's systemd has booted, from a cgroup of the machine", async () => {
  await inFolder(async (folder) => {
    const { started, processes } = await start(folder, { states: ["", "starting", "degraded"] });
    assert.equal((await started).pid, 77);
    const asked = processes.filter(({ argv }) => argv.includes("is-system-running"));
    assert.equal(asked.length, 3);
    assert.deepEqual(asked[0]!.argv.slice(3), [
      ...["sh", "/sys/fs/cgroup/m/question", "sh", "-c", SHORT_OUTPUT_SCRIPT, "sh", "timeout", "1"],
      ...["setpriv", "--inh-caps=-all", "--no-new-privs", "--"],
      ...["nsenter", "--target=77", "--all", "--"],
      ...["systemctl", "is-system-running", "--wait"],
    ]);
    // A killed prepare leaves no client behind, and the client has none of our environment.
    assert.deepEqual(Object.keys(asked[0]!.options.env ?? {}), ["PATH", "LANG"]);
    assert.ok("signal" in asked[0]!.options);
  });
});

Deno.test("standalone.start() connects a machine by the PID 1 that is a child of nspawn", async () => {
  await inFolder(async (folder) => {
    const link = vethFor("10.231.0.0/19", 3, false);
    const { started, processes } = await start(folder, {}, 1, never, link);
    await started;
    const { argv } = processes.find(({ argv }) => argv.includes("nr-3"))!;
    assert.deepEqual(argv.slice(4, 6), ["nr-3", "77"]);
  });
});

Deno.test("standalone.start() enters no machine before nspawn has dropped its privileges", async () => {
  await inFolder(async (folder) => {
    const { started, host, processes } = await start(folder, { readsWithPrivileges: 3 });
    const began = host.clock.now();
    await started;
    assert.ok(host.clock.now() > began, "it waits");
    const entered = processes.filter(({ argv }) => argv.includes("is-system-running"));
    assert.equal(entered.length, 1);
  });
});

Deno.test("standalone.start() gives nspawn arguments, a log and none of our environment", async () => {
  await inFolder(async (folder) => {
    const { started, processes, spec } = await start(folder, {});
    await started;
    const { argv, options } = processes.find(({ argv }) => argv.includes("systemd-nspawn"))!;
    const nspawn = argv.indexOf("systemd-nspawn");
    assert.deepEqual(argv.slice(3, 7), ["sh", "/cg/m", "sh", "-euc"]);
    assert.match(argv[7]!, /^mkfifo .*^exec "\$@" >&5 2>&1 /ms);
    assert.deepEqual(argv.slice(8, nspawn), [
      ...["sh", spec.paths.log, `${spec.paths.stage}/log`, "/cg/m/log"],
      ...["unshare", "--mount", "--propagation=slave", "sh", "-euc"],
      ...[`${LIMIT_TABLES_SCRIPT}\nmount_root\n\nexec "$@"`, "sh"],
    ]);
    assert.deepEqual(argv.slice(nspawn, nspawn + 5), [
      ...["systemd-nspawn", "--quiet", "--machine=run-42", "--register=no", "--keep-unit"],
    ]);
    assert.deepEqual(options.env, {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
      SYSTEMD_NSPAWN_TMPFS_TMP: "0",
      SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
      SYSTEMD_SECCOMP: "1",
    });
  });
});

Deno.test("standalone.start() of a machine that never boots fails when the time is over", async () => {
  for (const scene of [{ states: ["starting"] }, { states: ["maintenance"] }, { children: "" }]) {
    await inFolder(async (folder) => {
      const { started, host } = await start(folder, scene, 3);
      const began = host.clock.now();
      await assert.rejects(started, {
        kind: "host",
        message: "Cannot start machine run-42: it was not ready within 3 s",
        hint: "Raise prepare_timeout",
      });
      const waited = host.clock.now() - began;
      assert.ok(waited >= 3_000 && waited < 4_000, `${waited} ms`);
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

Deno.test("standalone.start() reports the last line of nspawn's output first, then those before it", async () => {
  await inFolder(async (folder) => {
    const log = Array.from({ length: 50 }, (_, number) => `line ${number}`).join("\n");
    const { started, host } = await start(folder, { hasEnded: true, log: `${log}\n\n` }, 30);
    const began = host.clock.now();
    await assert.rejects(started, (error: Error) => {
      const lines = error.message.split("\n");
      assert.equal(lines[0], "Cannot start machine run-42: line 49");
      assert.deepEqual([lines.length, lines[1], lines.at(-1)], [20, "line 30", "line 48"]);
      return true;
    });
    assert.equal(host.clock.now(), began, "it does not wait for nspawn that has ended");
  });
});

Deno.test("standalone.start() reports where nspawn ended without any output", async () => {
  await inFolder(async (folder) => {
    const { started } = await start(folder, { hasEnded: true });
    await assert.rejects(started, {
      message: "Cannot start machine run-42: it ended without any output",
    });
  });
});

/** Asks whether the machine of a lease is alive, where the kernel has this proc_pid_stat(5) for its process id. */
async function isAlive(stat: string, boot = "boot-1", leader: typeof LEADER | null = LEADER) {
  let answer = false;
  await inFolder(async (folder) => {
    const files = { ...HOST_FILES, "/proc/77/stat": stat };
    const { host } = standaloneHost(folder, (argv) => answerCat(argv, files));
    const changes = { supervisor: "standalone", boot, leader } as const;
    answer = await standalone.isAlive(host, leaseOf("/store", "42", changes));
  });
  return answer;
}

Deno.test("standalone.isAlive() tells its own machine from any other process", async () => {
  assert.ok(await isAlive(statOf(77, 9)));
  assert.ok(!await isAlive(statOf(77, 10)), "another process with that process id");
  assert.ok(!await isAlive(""), "no process with that process id");
  assert.ok(!await isAlive(statOf(77, 9).replace(" S ", " Z ")), "ended, not yet reaped");
  assert.ok(!await isAlive(statOf(77, 9), "boot-0"), "another boot");
  assert.ok(!await isAlive(statOf(77, 9), "boot-1", null), "it never ran");
});

Deno.test("standalone.stop() ends the machine's cgroup by one process, which lets nspawn clean up", async () => {
  await inFolder(async (folder) => {
    const { host, killed, processes } = standaloneHost(folder, () => {});
    const changes = { supervisor: "standalone", boot: "boot-1", leader: LEADER } as const;
    const lease = leaseOf("/store", "42", { ...changes, cgroups: ["/cg/m", "/twin"] });
    await standalone.stop(host, lease);
    assert.deepEqual(killed, [], "by its process id another process could be meant");
    assert.deepEqual(processes.map(({ argv }) => argv.slice(2)), [
      [END_CGROUP_SCRIPT, "sh", "500", "/cg/m", "/twin"],
    ]);
  });
});
