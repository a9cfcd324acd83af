import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import type { Stat } from "../../../../src/host/host.ts";
import { vethFor } from "../../../../src/machines/network/veth.ts";
import type { MachineSpec } from "../../../../src/machines/nspawn/spec.ts";
import { LIMIT_TABLES_SCRIPT } from "../../../../src/machines/supervisor/host_tables.ts";
import {
  LIMIT_SLICE_SCRIPT,
  limitProperties,
  SHOW_LIMITS_SCRIPT,
} from "../../../../src/machines/supervisor/start_unit.ts";
import {
  KILL_IN_UNIT_SCRIPT,
  KILL_SCRIPT,
  systemd,
} from "../../../../src/machines/supervisor/systemd.ts";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { btrfs } from "../../../../src/machines/storage/btrfs.ts";
import { overlay } from "../../../../src/machines/storage/overlay.ts";
import { unitOf } from "../../../../src/machines/supervisor/unit.ts";
import { type Answer, inFolder, PROGRAM_FILE, recordingHost } from "../../recording_host.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { leaseOf, SETTINGS, specOf } from "../fixture.ts";

const LOWER = treeAsLower("/c");
const RECORD = "/run/systemd/machines/run-42";
const UNIT = "/run/systemd/transient/nspawn-runner-run-42.service";
const SLICE_LIMIT = "/run/nspawn-runner/.slice";
const never = new AbortController().signal;

const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/x",
  dropped: [],
  noNewPrivileges: false,
  filtered: true,
};
const LEASE = leaseOf("/store", "42", { leader: LEADER });
const KERNEL = { ...HOST_FILES, ...processFiles({ pid: 77, start: 9, isInit: true }) };

interface Scene {
  readonly spec?: MachineSpec;
  /** Files of the host and their contents. */
  readonly files?: Readonly<Record<string, string>>;
  /** Answers of processes other than cat. */
  readonly answer?: (argv: readonly string[]) => Answer | void;
  /** What the machine's server has reported, at each read; by default that it is ready. */
  readonly result?: (read: number) => string;
  readonly signal?: AbortSignal;
  /** How SIGKILL to the machine's PID 1 ends; by default it also ends the machine and its unit. */
  readonly kill?: () => Answer;
}

/** A host whose systemd and machined have these files. */
function sceneHost(scene: Scene = {}) {
  const files = new Map(Object.entries(scene.files ?? { [RECORD]: "LEADER=77\n" }));
  const kills: (readonly string[])[] = [];
  const recording = recordingHost({
    answer(argv) {
      if (argv[2] !== KILL_IN_UNIT_SCRIPT) return scene.answer?.(argv) ?? answerCat(argv, KERNEL);
      kills.push(argv.slice(4));
      if (scene.kill !== undefined) return scene.kill();
      files.clear();
    },
  });
  const { host } = recording;
  const there: Stat = PROGRAM_FILE;
  let reads = 0;
  return {
    ...recording,
    kills,
    files,
    host: {
      ...host,
      files: {
        ...host.files,
        makeDirectory: () => Promise.resolve(),
        write: (path: string) => Promise.resolve(void files.set(path, "")),
        read: (path: string) => Promise.resolve(files.get(path) ?? null),
        lstat: (path: string) => Promise.resolve(files.has(path) ? there : null),
        readEnd: () => Promise.resolve(scene.result?.(++reads) ?? "ready\n"),
      },
    },
  };
}

function start(scene: Scene = {}) {
  const recording = sceneHost(scene);
  const spec = scene.spec ?? specOf();
  const started = systemd.start(recording.host, spec, LEASE, scene.signal ?? never);
  return { ...recording, started };
}

/** Starts a machine, and returns the command line of systemd-run. */
async function systemdRunArgv(spec?: MachineSpec): Promise<readonly string[]> {
  const { started, processes } = start(spec === undefined ? {} : { spec });
  await started;
  return processes.find(({ argv }) => argv[0] === "systemd-run")!.argv;
}

Deno.test("systemd.start() gives a unit exactly these properties", async () => {
  const argv = await systemdRunArgv();
  assert.deepEqual(argv.slice(0, argv.indexOf("systemd-nspawn") + 1), [
    "systemd-run",
    "--quiet",
    "--collect",
    "--unit=nspawn-runner-run-42.service",
    "--slice=machine-ci.slice",
    "--description=CI machine run-42",
    "--property=Type=notify",
    "--property=KillMode=mixed",
    "--property=Delegate=yes",
    "--property=AssertPathExists=/run/nspawn-runner/run-42.lease",
    "--property=TimeoutStartSec=120s",
    "--property=TimeoutStopSec=10s",
    "--property=RuntimeMaxSec=5400s",
    "--property=DevicePolicy=closed",
    "--property=DeviceAllow=char-pts rw",
    "--property=DeviceAllow=/dev/net/tun rwm",
    "--property=DeviceAllow=/dev/fuse rwm",
    "--property=CPUWeight=50",
    "--property=MemoryHigh=80%",
    "--property=MemoryMax=2G",
    "--property=MemorySwapMax=1G",
    "--property=CPUQuota=150%",
    "--property=IOWeight=20",
    "--property=TasksMax=100",
    "--setenv=SYSTEMD_NSPAWN_TMPFS_TMP=0",
    "--setenv=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
    "--setenv=SYSTEMD_SECCOMP=1",
    "--",
    ...["unshare", "--mount", "--propagation=slave", "sh", "-euc"],
    ...[`${LIMIT_TABLES_SCRIPT}\nmount_root\n\nexec "$@"`, "sh"],
    "systemd-nspawn",
  ]);
  assert.ok(argv.includes("--keep-unit"), "the unit's limits apply to the machine");
});

Deno.test("limitProperties() sets no CPUQuota where it is infinity", () => {
  const properties = limitProperties({ ...SETTINGS.limits, cpu_quota: "infinity" });
  assert.ok(!properties.some((property) => property.startsWith("CPUQuota=")));
  assert.equal(properties.length, limitProperties(SETTINGS.limits).length - 1);
});

Deno.test("systemd.start() switches seccomp off only where the settings do", async () => {
  const off = await systemdRunArgv(specOf({ settings: { ...SETTINGS, seccomp: false } }));
  assert.ok(off.includes("--setenv=SYSTEMD_SECCOMP=0"));
  assert.ok((await systemdRunArgv()).includes("--setenv=SYSTEMD_SECCOMP=1"));
});

Deno.test("systemd.start() allows a machine its devices", async () => {
  const kvm = { path: "/dev/kvm", kind: "c", major: 10, minor: 232, readOnly: false } as const;
  const argv = await systemdRunArgv(specOf({ devices: [kvm] }));
  assert.ok(argv.includes("--property=DeviceAllow=/dev/kvm rwm"));
  const created = argv.find((word) => word.includes("mknod -m"));
  assert.ok(created !== undefined, "the unit creates the device node");
});

Deno.test("systemd.start() passes no word that systemd would expand", async () => {
  // A dollar sign with braces in any word, without them only in a word of its own: systemd.service(5).
  const expanded = /\$\{|\$\$|^\$\w+$|%[a-zA-Z]/;
  const kvm = { path: "/dev/kvm", kind: "c", major: 10, minor: 232, readOnly: false } as const;
  for (const root of [overlay.root(LOWER, "/m", 65_536), btrfs.root(LOWER, "/m", 65_536)]) {
    const spec = specOf({ root, devices: [kvm], resolvConf: "/m/resolv.conf" });
    for (const word of await systemdRunArgv(spec)) assert.doesNotMatch(word, expanded, word);
  }
});

const sliceAnswer = (argv: readonly string[]) =>
  argv[2] === LIMIT_SLICE_SCRIPT ? { code: 1, stderr: "Access denied\n" } : undefined;

Deno.test("systemd.start() limits the slice once per boot", async () => {
  const { host, started, files, processes } = start();
  await started;
  const limits = () => processes.filter(({ argv }) => argv[2] === LIMIT_SLICE_SCRIPT);
  assert.deepEqual(limits()[0]!.argv.slice(4), [
    "machine-ci.slice",
    "MemoryMax=90%",
    "TasksMax=70%",
  ]);
  files.set(SLICE_LIMIT, "");
  await systemd.start(host, specOf(), LEASE, never);
  assert.equal(limits().length, 1);
});

Deno.test("LIMIT_SLICE_SCRIPT keeps a limit that an administrator set", async () => {
  await inFolder(async (folder) => {
    const systemctl = `#!/bin/sh
case $1 in
  show) [ "$2" = --property=MemoryMax ] && echo MemoryMax=8589934592 || echo TasksMax=infinity ;;
  *) echo "$@" >>"${folder}/set" ;;
esac
`;
    await Deno.writeTextFile(`${folder}/systemctl`, systemctl, { mode: 0o755 });
    const argv = [LIMIT_SLICE_SCRIPT, "sh", "machine-ci.slice", "MemoryMax=90%", "TasksMax=70%"];
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
    const ran = await new Deno.Command("sh", { args: ["-euc", ...argv], env }).output();
    assert.ok(ran.success);
    assert.equal(
      await Deno.readTextFile(`${folder}/set`),
      "set-property --runtime machine-ci.slice TasksMax=70%\n",
    );
  });
});

Deno.test("systemd.start() continues when the slice cannot be limited, and logs the reason", async () => {
  const { started, err } = start({ answer: sliceAnswer });
  assert.equal((await started).pid, 77);
  assert.equal(err(), "Cannot limit machine-ci.slice: Access denied\n");
});

Deno.test("systemd.start() connects a machine by the PID 1 that machined records", async () => {
  const { started, processes } = start({
    spec: specOf({ link: vethFor("10.231.0.0/19", 3, false) }),
  });
  await started;
  const { argv } = processes.find(({ argv }) => argv[4] === "nr-3")!;
  assert.equal(argv[5], "77");
});

Deno.test("systemd.start() asks machined for a PID 1 that is missing in its record", async () => {
  const { started, commands } = start({
    files: { [RECORD]: "# no more than this\n" },
    answer: ([program]) => program === "machinectl" ? { stdout: "77\n" } : undefined,
  });
  assert.equal((await started).pid, 77);
  assert.ok(commands().includes("machinectl show run-42 --property=Leader --value"));
});

Deno.test("systemd.start() fails when machined does not know the machine", async () => {
  for (const stdout of ["", "\n", "0\n", "[not set]\n"]) {
    const { started, commands } = start({
      files: {},
      answer: ([program]) => program === "machinectl" ? { code: 1, stdout } : undefined,
    });
    await assert.rejects(started, { kind: "host", message: /systemd-machined does not list it/ });
    assert.ok(!commands().some((line) => line.startsWith("cat")), "no process is inspected");
  }
});

Deno.test("systemd.start() is interrupted by the signal of prepare", async () => {
  const { signal } = new AbortController();
  const { started, processes } = start({ signal });
  await started;
  const { options } = processes.find(({ argv }) => argv[0] === "systemd-run")!;
  assert.ok("signal" in options && options.signal === signal);
});

Deno.test("systemd.start() that fails reports the machine's last line first", async () => {
  const { started } = start({
    files: {},
    answer: ([program]) =>
      program === "journalctl"
        ? { stdout: "Failed to mount\n" }
        : { code: 1, stderr: "Job failed\n" },
  });
  await assert.rejects(started, (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.kind, "host");
    assert.equal(error.message, "Cannot start machine run-42: Failed to mount\nJob failed");
    return true;
  });
});

const PLAIN = specOf({ booted: false, settings: { ...SETTINGS, prepare_timeout: 2 } });

Deno.test("systemd.start() inspects PID 1 of a plain machine when its server has begun, and waits until it is ready", async () => {
  const order: string[] = [];
  const { started } = start({
    spec: PLAIN,
    files: { [RECORD]: "LEADER=77\n", [SLICE_LIMIT]: "" },
    answer: ([program]) => void order.push(program!),
    result: (read) => {
      order.push("read");
      return read < 3 ? "" : read < 6 ? "begun\n" : "begun\nready\n";
    },
  });
  await started;
  const reads = ["read", "read", "read"];
  assert.deepEqual(order.slice(0, 4), ["systemd-run", ...reads]);
  assert.deepEqual(order.slice(4).sort(), ["cat", ...reads, "stat"]);
  assert.equal(order.at(-1), "read");
});

/** Starts a plain machine in vain, and returns the failure and how long it took. */
async function failPlain(scene: Scene) {
  const { started, host, ...rest } = start({
    spec: PLAIN,
    answer: ([program]) => program === "journalctl" ? { stdout: "execv() failed\n" } : undefined,
    ...scene,
  });
  const began = host.clock.now();
  const failure = await started.then(() => null, (error) => error as Failure);
  return { failure, took: host.clock.now() - began, ...rest };
}

Deno.test("systemd.start() of a plain machine whose init never reports fails when the time is over", async () => {
  const { failure, took, commands } = await failPlain({ result: () => "" });
  assert.equal(
    failure?.message,
    "Cannot start machine run-42: it was not ready within 2 s\nexecv() failed",
  );
  assert.equal(failure.hint, "Raise prepare_timeout");
  assert.ok(took >= 2_000 && took < 2_100, `${took} ms`);
  const [synced, asked] = commands().filter((line) => line.startsWith("journalctl"));
  assert.equal(synced, "journalctl --sync", "before the journal is read");
  assert.match(asked!, / --since=@\d+ --lines=20 _SYSTEMD_UNIT=nspawn-runner-run-42\.service$/);
});

Deno.test("systemd.start() that fails without output reports systemd's message about the unit", async () => {
  const unit = "nspawn-runner-run-42.service";
  const result = `${unit}: Failed with result 'oom-kill'.`;
  const { failure } = await failPlain({
    answer: (argv) =>
      argv[0] === "systemd-run"
        ? { code: 1 }
        : argv.at(-1) === `UNIT=${unit}`
        ? { stdout: `Starting ${unit}...\n${result}\nFailed to start ${unit}.\n` }
        : undefined,
  });
  assert.equal(failure?.message, `Cannot start machine run-42: ${result}`);
  assert.equal(failure.hint, undefined);
});

Deno.test("systemd.start() of a plain machine that has ended, or is interrupted, waits no longer", async () => {
  const ended = await failPlain({ result: () => "", files: {} });
  const interrupted = await failPlain({ result: () => "", signal: AbortSignal.abort() });
  for (const { failure, took } of [ended, interrupted]) {
    assert.equal(failure?.message, "Cannot start machine run-42: execv() failed");
    assert.equal(took, 0);
  }
});

Deno.test("systemd.isAlive() compares the machine's PID 1 with machined's record, and looks for its unit", async () => {
  const isAlive = (files: Readonly<Record<string, string>>) =>
    systemd.isAlive(sceneHost({ files }).host, LEASE);
  assert.ok(await isAlive({ [RECORD]: "LEADER=77\n", [UNIT]: "" }));
  assert.ok(await isAlive({ [RECORD]: `SCOPE=${unitOf("run-42")}\nLEADER=77\n`, [UNIT]: "" }));
  assert.ok(!await isAlive({ [RECORD]: "LEADER=78\n", [UNIT]: "" }));
  assert.ok(!await isAlive({ [RECORD]: "LEADER=77\n" }), "an outdated record");
  assert.ok(!await isAlive({}));
});

Deno.test("systemd.isAlive() is false for a machine that never ran", async () => {
  assert.ok(!await systemd.isAlive(sceneHost().host, leaseOf("/store", "42")));
});

const RUNNING = { [RECORD]: "LEADER=77\n", [UNIT]: "" };

const KILL = [unitOf("run-42"), "77"];

/** The first words of the commands that a host ran, without the shell that kills PID 1. */
const programs = (processes: readonly { readonly argv: readonly string[] }[]) =>
  processes.map(({ argv }) => argv[0]).filter((program) => program !== "sh");

Deno.test("systemd.stop() kills the machine's PID 1, after which nspawn removes its mounts", async () => {
  const { host, kills, processes } = sceneHost({ files: RUNNING });
  await systemd.stop(host, LEASE);
  assert.deepEqual(kills, [KILL]);
  assert.equal(processes.length, 1);
});

Deno.test("systemd.stop() kills the unit when the end of PID 1 does not end it", async () => {
  const scene = sceneHost({
    files: RUNNING,
    kill: () => ({}),
    answer: ([program]) => program === "systemctl" ? void scene.files.clear() : undefined,
  });
  const { host, kills, commands } = scene;
  const began = host.clock.now();
  await systemd.stop(host, LEASE);
  assert.deepEqual(kills, [KILL]);
  assert.equal(commands().at(-1), `systemctl kill --signal=SIGKILL ${unitOf("run-42")}`);
  assert.ok(host.clock.now() - began < 11_000);
});

Deno.test("systemd.stop() kills the unit at once where the recorded PID 1 is no process of it", async () => {
  const scene = sceneHost({
    files: RUNNING,
    kill: () => ({ code: 1 }),
    answer: () => void scene.files.clear(),
  });
  const { host, processes } = scene;
  const began = host.clock.now();
  await systemd.stop(host, LEASE);
  assert.deepEqual(programs(processes), ["systemctl"]);
  assert.equal(host.clock.now(), began);
});

Deno.test("KILL_IN_UNIT_SCRIPT kills a process of the unit, and no other one", async () => {
  const read = await new Deno.Command("cat", { args: ["/proc/self/cgroup"] }).output();
  const [, unit] = new TextDecoder().decode(read.stdout).match(/\/([^/\n]+)$/m) ?? [];
  const kill = async (unit: string) => {
    const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
    const args = ["-c", KILL_IN_UNIT_SCRIPT, "sh", unit, `${child.pid}`];
    const { code } = await new Deno.Command("sh", { args, stderr: "null" }).output();
    if (code !== 0) child.kill("SIGTERM");
    const { signal } = await child.status;
    return { code, signal };
  };
  assert.deepEqual(await kill(unitOf("run-42")), { code: 1, signal: "SIGTERM" });
  if (unit !== undefined) {
    assert.deepEqual(await kill(unit.slice(1)), { code: 1, signal: "SIGTERM" }, "a part of a name");
    assert.deepEqual(await kill(unit), { code: 0, signal: "SIGKILL" });
  }
});

Deno.test("systemd.stop() kills the unit of a machine that machined never knew", async () => {
  const scene = sceneHost({ files: { [UNIT]: "" }, answer: () => void scene.files.clear() });
  await systemd.stop(scene.host, leaseOf("/store", "42"));
  assert.deepEqual(scene.kills, []);
  assert.deepEqual(scene.commands(), [`systemctl kill --signal=SIGKILL ${unitOf("run-42")}`]);
});

Deno.test("systemd.stop() wakes a machined that still has the record of a machine that ended", async () => {
  const scene = sceneHost({
    files: RUNNING,
    kill: () => ({ code: 1 }),
    answer: ([program]) => program === "machinectl" ? void scene.files.clear() : undefined,
  });
  await systemd.stop(scene.host, LEASE);
  assert.deepEqual(programs(scene.processes), ["systemctl", "machinectl"]);
});

const KILLED = leaseOf("/store", "42", {
  leader: { ...LEADER, cgroup: `/cg/${unitOf("run-42")}/payload/init.scope` },
});

Deno.test("systemd.kill() kills a machine's cgroup by the process that goes on in the background", async () => {
  const { host, processes } = sceneHost({ files: RUNNING });
  await systemd.kill(host, KILLED, ["finish", "it"]);
  assert.equal(processes.length, 1);
  const [{ argv, options }] = [processes[0]!];
  assert.deepEqual(argv.slice(0, 3), ["sh", "-c", KILL_SCRIPT]);
  assert.deepEqual(argv.slice(4), [
    ...[`/cg/${unitOf("run-42")}/payload`, unitOf("run-42"), "77"],
    ...["finish", "it"],
  ]);
  assert.ok("detached" in options && options.detached);
});

Deno.test("systemd.kill() waits until no process of the machine is left, but not for its unit", async () => {
  const { host, files } = sceneHost({ files: RUNNING });
  const ended = await systemd.kill(host, KILLED, ["finish"]);
  const began = host.clock.now();
  let looks = 0;
  const read = (path: string) => {
    if (++looks === 4) files.delete(RECORD);
    return host.files.read(path);
  };
  const slow = { ...host, files: { ...host.files, read } };
  assert.equal(await (await systemd.kill(slow, KILLED, ["finish"]))!(), true);
  assert.ok(host.clock.now() - began < 1000);
  assert.ok(files.has(UNIT));
  assert.equal(await ended!(), true);
});

Deno.test("systemd.kill() tells that a machine has not ended, and that machined does not know of its end", async () => {
  const stays = sceneHost({ files: RUNNING });
  const ended = await systemd.kill(stays.host, KILLED, ["finish"]);
  const began = stays.host.clock.now();
  assert.equal(await ended!(), false);
  assert.ok(stays.host.clock.now() - began >= 10_000);
  const outdated = sceneHost({ files: RUNNING });
  const known = await systemd.kill(outdated.host, KILLED, ["finish"]);
  outdated.files.delete(UNIT);
  assert.equal(await known!(), false);
});

Deno.test("systemd.kill() starts nothing for a machine that does not run, or whose cgroup is not its unit's", async () => {
  for (
    const [files, lease] of [
      [{}, KILLED],
      [{ [RECORD]: "LEADER=77\n" }, KILLED],
      [{ [RECORD]: "LEADER=78\n", [UNIT]: "" }, KILLED],
      [{ [RECORD]: FOREIGN, [UNIT]: "" }, KILLED],
      [RUNNING, LEASE],
      [RUNNING, leaseOf("/store", "42")],
    ] as const
  ) {
    const { host, processes } = sceneHost({ files });
    assert.equal(await systemd.kill(host, lease, ["finish"]), null);
    assert.deepEqual(processes, []);
  }
});

/** Runs the script for a process of this test's own unit, and returns the signal that ended the process. */
async function runKillScript(cgroup: string, isOfUnit: boolean, ...command: string[]) {
  const read = await new Deno.Command("cat", { args: ["/proc/self/cgroup"] }).output();
  const [, own] = new TextDecoder().decode(read.stdout).match(/\/([^/\n]+)$/m) ?? [];
  const unit = isOfUnit ? own : unitOf("run-42");
  if (unit === undefined) return null; // this host has no cgroups
  const child = new Deno.Command("sleep", { args: ["20"] }).spawn();
  const args = ["-c", KILL_SCRIPT, "sh", cgroup, unit, `${child.pid}`, ...command];
  const { success } = await new Deno.Command("sh", { args, stderr: "null" }).output();
  assert.ok(success);
  if (!isOfUnit || cgroup !== "/nowhere") child.kill("SIGTERM");
  return (await child.status).signal;
}

Deno.test("KILL_SCRIPT kills all processes of a cgroup, and goes on", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/cgroup.kill`, "");
    const signal = await runKillScript(folder, true, "touch", `${folder}/went on`);
    if (signal === null) return;
    assert.equal(signal, "SIGTERM", "by the test: the kernel kills the cgroup");
    assert.equal(await Deno.readTextFile(`${folder}/cgroup.kill`), "1\n");
    assert.ok(await Deno.stat(`${folder}/went on`));
  });
});

Deno.test("KILL_SCRIPT kills PID 1 where the kernel kills no cgroup", async () => {
  assert.ok(["SIGKILL", null].includes(await runKillScript("/nowhere", true, "true")));
});

Deno.test("KILL_SCRIPT kills nothing where PID 1 has left the unit: a later machine may have it", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/cgroup.kill`, "");
    assert.equal(await runKillScript(folder, false, "touch", `${folder}/went on`), "SIGTERM");
    assert.equal(await Deno.readTextFile(`${folder}/cgroup.kill`), "");
    assert.ok(await Deno.stat(`${folder}/went on`));
  });
});

Deno.test("systemd.start() waits for the unit of an earlier machine of that name", async () => {
  const files = { ...RUNNING, [SLICE_LIMIT]: "" };
  const scene = sceneHost({ files, answer: ([program]) => void order.push(program!) });
  const order: string[] = [];
  let looks = 0;
  const lstat = (path: string) => {
    if (path === UNIT && ++looks === 5) {
      order.push("ended");
      scene.files.delete(UNIT);
    }
    return scene.host.files.lstat(path);
  };
  const host = { ...scene.host, files: { ...scene.host.files, lstat } };
  scene.files.delete(RECORD); // cleanup waited for that
  // machined never records the new machine, so that the start fails in the end.
  await assert.rejects(systemd.start(host, specOf(), LEASE, never), /does not list it/);
  assert.deepEqual(order.slice(0, 2), ["ended", "systemd-run"]);
});

/** machined's record of somebody else's machine of that name. */
const FOREIGN = "NAME=run-42\nSCOPE=machine-run\\x2d42.scope\nLEADER=77\n";

Deno.test("systemd.start() refuses the name of a machine that somebody else started", async () => {
  const { started, processes } = start({ files: { [RECORD]: FOREIGN } });
  await assert.rejects(started, { kind: "host", message: /another machine of that name/ });
  assert.deepEqual(processes, []);
});

Deno.test("systemd.stop() leaves a machine of the same name alone that somebody else started", async () => {
  const { host, processes } = sceneHost({ files: { [RECORD]: FOREIGN } });
  assert.ok(!await systemd.isAlive(host, LEASE));
  await systemd.stop(host, LEASE);
  assert.deepEqual(processes, []);
});

Deno.test("systemd.stop() does nothing for a machine that is gone", async () => {
  const { host, commands } = sceneHost({ files: {} });
  await systemd.stop(host, LEASE);
  assert.deepEqual(commands(), []);
});

Deno.test("systemd.stop() waits until record and unit are gone, and fails where one stays", async () => {
  for (const last of [RECORD, UNIT]) {
    const { host } = sceneHost({ files: { [last]: "" } });
    const stopped = systemd.stop(host, leaseOf("/store", "42"));
    await assert.rejects(stopped, { kind: "host", message: /is still there after SIGKILL/ }, last);
  }
});

Deno.test("systemd.ranOutOfMemory() looks for systemd's message about the machine's unit", async () => {
  for (const stdout of ["A process was killed\n", ""]) {
    const { host, commands } = sceneHost({
      files: {},
      answer: ([program, option]) =>
        program === "journalctl" && option !== "--sync" ? { stdout } : undefined,
    });
    assert.equal(await systemd.ranOutOfMemory(host, LEASE, 1_000), stdout !== "");
    assert.match(commands().at(-1)!, /--since=@1 .* _PID=1 UNIT=nspawn-runner-run-42\.service /);
  }
});

Deno.test("systemd.start() copies limits to the cgroup that the machine sees, where there are any", async () => {
  const unit = "/machine.slice/nspawn-runner-run-42.service";
  const shown = async (limits: Partial<typeof SETTINGS.limits>) => {
    const settings = { ...SETTINGS, limits: { ...SETTINGS.limits, ...limits } };
    const kernel = {
      ...KERNEL,
      "/proc/77/cgroup": `0::${unit}/payload/init.scope\n`,
    };
    const { started, processes } = start({
      spec: specOf({ settings }),
      answer: (argv) => argv[0] === "cat" ? answerCat(argv, kernel) : undefined,
    });
    await started;
    return processes.find(({ argv }) => argv[2] === SHOW_LIMITS_SCRIPT)?.argv.slice(4);
  };
  const [from, to] = await shown({}) ?? [];
  assert.ok(from?.endsWith(unit), from);
  assert.equal(to, `${from}/payload`);
  assert.equal(await shown({ memory_max: "infinity", cpu_quota: "infinity" }), undefined);
});

Deno.test("SHOW_LIMITS_SCRIPT copies what both cgroups have", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/payload`);
    for (const file of ["memory.max", "cpu.max"]) {
      await Deno.writeTextFile(`${folder}/${file}`, file);
    }
    await Deno.writeTextFile(`${folder}/payload/memory.max`, "max");
    const args = ["-euc", SHOW_LIMITS_SCRIPT, "sh", folder, `${folder}/payload`];
    const { success } = await new Deno.Command("sh", { args }).output();
    assert.ok(success);
    assert.equal(await Deno.readTextFile(`${folder}/payload/memory.max`), "memory.max");
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder}/payload`), ({ name }) => name), [
      "memory.max",
    ]);
  });
});
