/** What systemd and machined may answer, besides what they should. */

import assert from "node:assert/strict";
import type { Failure } from "../../../../src/failure.ts";
import type { MachineSpec } from "../../../../src/machines/nspawn/spec.ts";
import { systemd } from "../../../../src/machines/supervisor/systemd.ts";
import { type Answer, recordingHost } from "../../recording_host.ts";
import { leaseOf, SETTINGS, specOf } from "../fixture.ts";
import { FACTS, statOf } from "./standalone_host.ts";

const RECORD = "/run/systemd/machines/run-42";
const UNIT = "/run/systemd/transient/nspawn-runner-run-42.service";
const quiet = new AbortController().signal;
const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/x",
  dropped: [],
  noNewPrivileges: false,
  filtered: true,
};

interface Scene {
  readonly spec?: MachineSpec;
  /** Files that are there, with what is in them. */
  readonly files?: Readonly<Record<string, string>>;
  readonly answer?: (argv: readonly string[]) => Answer | void;
  /** What a plain machine has said, at each look. */
  readonly result?: (look: number) => string;
  readonly signal?: AbortSignal;
}

function sceneHost(scene: Scene) {
  const files = new Map(Object.entries(scene.files ?? { [RECORD]: "LEADER=77\n" }));
  const recording = recordingHost({
    answer(argv): Answer | void {
      const given = scene.answer?.(argv);
      if (given || argv[0] !== "cat") return given;
      return { stdout: `${statOf(77, 9)}CapBnd:\t1ffffffffff\n0::/m\n40\n${FACTS}` };
    },
  });
  const there = {
    kind: "file",
    size: 0,
    mode: 0,
    uid: 0,
    dev: 1,
    ino: 1,
    modified: null,
    born: null,
  } as const;
  let looks = 0;
  const host = {
    ...recording.host,
    files: {
      ...recording.host.files,
      read: (path: string) => Promise.resolve(files.get(path) ?? null),
      lstat: (path: string) => Promise.resolve(files.has(path) ? there : null),
      readEnd: () => Promise.resolve(scene.result?.(++looks) ?? null),
    },
  };
  return { ...recording, host, files };
}

function start(scene: Scene) {
  const recording = sceneHost(scene);
  const lease = leaseOf("/store", "42", { leader: LEADER });
  const started = systemd.start(
    recording.host,
    scene.spec ?? specOf(),
    lease,
    scene.signal ?? quiet,
  );
  return { ...recording, started };
}

Deno.test("systemd.start() asks machined for a leader that its record does not tell", async () => {
  const answer = ([program]: readonly string[]) =>
    program === "machinectl" ? { stdout: "77\n" } : undefined;
  const { started, commands } = start({ files: { [RECORD]: "# no more than this\n" }, answer });
  assert.equal((await started).pid, 77);
  assert.ok(commands().includes("machinectl show run-42 --property=Leader --value"));
});

Deno.test("systemd.start() says so when machined does not know the machine", async () => {
  for (const stdout of ["", "\n", "0\n", "[not set]\n"]) {
    const answer = ([program]: readonly string[]) =>
      program === "machinectl" ? { code: 1, stdout } : undefined;
    const { started, commands } = start({ files: {}, answer });
    await assert.rejects(started, { kind: "host", message: /machined does not know it/ });
    assert.ok(!commands().some((line) => line.startsWith("cat")), "of nobody nothing is asked");
  }
});

Deno.test("systemd.start() goes on when the slice cannot be limited, and says why", async () => {
  const answer = ([, verb]: readonly string[]) =>
    verb === "set-property" ? { code: 1, stderr: "Access denied\n" } : undefined;
  const { started, err } = start({ answer });
  assert.equal((await started).pid, 77);
  assert.equal(err(), "Cannot limit machine-ci.slice: Access denied\n");
});

Deno.test("systemd.start() is interrupted by what interrupts its prepare", async () => {
  const { signal } = new AbortController();
  const { started, processes } = start({ signal });
  await started;
  const { options } = processes.find(({ argv }) => argv[0] === "systemd-run")!;
  assert.ok("signal" in options && options.signal === signal);
});

const PLAIN = specOf({ booted: false, settings: { ...SETTINGS, prepare_timeout: 2 } });

/** A plain machine whose start fails; what is said, and how long that took. */
async function plainFailure(scene: Scene) {
  const journal = ([program]: readonly string[]) =>
    program === "journalctl" ? { stdout: "execv() failed\n" } : undefined;
  const { started, host, ...rest } = start({ spec: PLAIN, answer: journal, ...scene });
  const began = host.clock.now();
  const failure = await started.then(() => null, (error) => error as Failure);
  return { failure, took: host.clock.now() - began, ...rest };
}

Deno.test("systemd.start() of a plain machine that never says a word fails when its time is over", async () => {
  const { failure, took, commands } = await plainFailure({ result: () => "" });
  assert.equal(
    failure?.message,
    "Cannot start machine run-42: it was not ready within 2 s\nexecv() failed",
  );
  assert.equal(failure.hint, "prepare_timeout gives it more");
  assert.ok(took >= 2_000 && took < 2_100, `${took} ms`);
  const [synced, asked] = commands().filter((line) => line.startsWith("journalctl"));
  assert.equal(synced, "journalctl --sync", "before it is asked");
  assert.match(asked!, / --since=@\d+ --lines=20 _SYSTEMD_UNIT=nspawn-runner-run-42\.service$/);
});

Deno.test("systemd.start() that fails tells what systemd said where the machine said nothing", async () => {
  const unit = "nspawn-runner-run-42.service";
  const result = `${unit}: Failed with result 'oom-kill'.`;
  const answer = (argv: readonly string[]) =>
    argv[0] === "systemd-run"
      ? { code: 1 }
      : argv.at(-1) === `UNIT=${unit}`
      ? { stdout: `Starting ${unit}...\n${result}\nFailed to start ${unit}.\n` }
      : undefined;
  const { failure } = await plainFailure({ answer });
  assert.equal(failure?.message, `Cannot start machine run-42: ${result}`);
  assert.equal(failure.hint, undefined);
});

Deno.test("systemd.start() of a plain machine that has ended, or is given up, waits no longer", async () => {
  const ended = await plainFailure({ result: () => "", files: {} });
  const given = await plainFailure({ result: () => "", signal: AbortSignal.abort() });
  for (const { failure, took } of [ended, given]) {
    assert.equal(failure?.message, "Cannot start machine run-42: execv() failed");
    assert.equal(took, 0);
  }
});

Deno.test("systemd.stop() kills the unit when the end of PID 1 is not enough", async () => {
  const { host, killed, commands, files } = sceneHost({
    files: { [RECORD]: "LEADER=77\n", [UNIT]: "" },
    answer: ([program]) => program === "systemctl" ? void files.clear() : undefined,
  });
  const processes = {
    ...host.processes,
    signal: (pid: number, signal: Deno.Signal) => (host.processes.signal(pid, signal), true),
  };
  const began = host.clock.now();
  await systemd.stop({ ...host, processes }, leaseOf("/store", "42", { leader: LEADER }));
  assert.deepEqual(killed, [{ pid: 77, signal: "SIGKILL" }]);
  assert.deepEqual(commands(), ["systemctl kill --signal=SIGKILL nspawn-runner-run-42.service"]);
  assert.ok(host.clock.now() - began < 11_000);
});

Deno.test("systemd.stop() kills the unit at once when its PID 1 is gone already", async () => {
  const { host, commands, files } = sceneHost({
    files: { [RECORD]: "LEADER=77\n", [UNIT]: "" },
    answer: () => void files.clear(),
  });
  const began = host.clock.now();
  await systemd.stop(host, leaseOf("/store", "42", { leader: LEADER }));
  assert.equal(commands().length, 1);
  assert.equal(host.clock.now(), began);
});

Deno.test("systemd.stop() waits for record and unit, both", async () => {
  for (const last of [RECORD, UNIT]) {
    const { host } = sceneHost({ files: { [last]: "" } });
    await assert.rejects(systemd.stop(host, leaseOf("/store", "42")), { kind: "host" }, last);
  }
});

Deno.test("systemd.isAlive() is false for a machine that never ran", async () => {
  assert.ok(!await systemd.isAlive(sceneHost({}).host, leaseOf("/store", "42")));
});
