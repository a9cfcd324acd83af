import assert from "node:assert/strict";
import type { Exec, RunningMachine, StageRun } from "../../../../src/machines/exec/exec.ts";
import { nsenter } from "../../../../src/machines/exec/nsenter.ts";
import { transientUnit } from "../../../../src/machines/exec/unit.ts";
import type { Leader, Lease } from "../../../../src/machines/record/lease.ts";
import { type Answer, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";

const NONCE = "0123abcd";
const LEADER = {
  pid: 77,
  start: 5,
  cgroup: "/cg/m",
  dropped: [12, 14],
  noNewPrivileges: true,
  filtered: true,
};
const ALIVE = `77 (init) S ${Array(18).fill("0").join(" ")} 5 0\n`;

interface Scene {
  readonly entry: Exec;
  readonly lease?: Partial<Lease>;
  /** What the stage wrote by its end. */
  readonly report: string;
  /** What the client ends with. */
  readonly client?: number;
  /** Whether the supervisor still knows the machine. */
  readonly known?: boolean;
  /** What the kernel says of its PID 1. */
  readonly stat?: string;
  /** What the machine's systemd says of itself. */
  readonly state?: string;
  readonly cancelled?: boolean;
  readonly leader?: Leader;
}

async function play(scene: Scene) {
  const recording = recordingHost({
    answer(argv): Answer {
      if (argv[0] === "cat") return { stdout: scene.stat ?? ALIVE };
      if (argv.includes("is-system-running")) return { stdout: `${scene.state ?? "running"}\n` };
      return { code: scene.client ?? 0 };
    },
  });
  const running: RunningMachine = {
    lease: leaseOf("/store", "42", { leader: LEADER, ...scene.lease }),
    leader: scene.leader ?? LEADER,
    isAlive: () => Promise.resolve(scene.known ?? true),
  };
  const stage: StageRun = {
    nonce: NONCE,
    argv: ["/bin/sh", "reporter"],
    report: () => Promise.resolve(scene.report),
  };
  const cancel = new AbortController();
  if (scene.cancelled) cancel.abort();
  const ending = await scene.entry.run(recording.host, running, stage, cancel.signal);
  return { ending, ...recording };
}

const done = (code: number) => `${NONCE} started\n${NONCE} ${code}\n`;

Deno.test("unit.exec() runs a stage as a named unit of the machine, through machined", async () => {
  const { ending, processes } = await play({ entry: transientUnit, report: done(0) });
  assert.deepEqual(ending, { kind: "exited", code: 0 });
  assert.equal(processes.length, 1, "a good stage costs one process");
  const { argv, options } = processes[0]!;
  assert.deepEqual([argv[0], argv[4]], ["sh", "/run/systemd/machines/run-42"]);
  assert.deepEqual(argv.slice(6), [
    "systemd-run",
    "--machine=run-42",
    "--quiet",
    "--pipe",
    "--wait",
    "--collect",
    `--unit=nspawn-runner-${NONCE}.service`,
    "--property=IgnoreSIGPIPE=no",
    "--property=OOMPolicy=continue",
    "--property=TimeoutStopSec=2s",
    "--",
    "/bin/sh",
    "reporter",
  ]);
  assert.deepEqual(Object.keys(options.env ?? {}), ["PATH", "LANG"]);
  assert.ok("detached" in options && options.detached);
});

Deno.test("unit.exec() enters a machine that machined does not know", async () => {
  const scene = { entry: transientUnit, report: done(0), lease: { supervisor: "standalone" } } as const;
  const { processes } = await play(scene);
  const { argv } = processes[0]!;
  assert.deepEqual([argv[0], argv[4]], ["sh", "/proc/77"]);
  assert.deepEqual(argv.slice(6, 15), [
    "setpriv",
    "--bounding-set=-cap_12,-cap_14", // what it runs there is a job's to change
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
    ...["nsenter", "--target=77", "--all", "--"],
  ]);
  assert.deepEqual(argv.slice(15, 17), ["systemd-run", "--quiet"]);
});

Deno.test("unit.exec() believes the stage's report, not its client's code", async () => {
  const exited = await play({ entry: transientUnit, report: done(3), client: 0 });
  assert.deepEqual(exited.ending, { kind: "exited", code: 3 });
  const killed = await play({ entry: transientUnit, report: `${NONCE} started\n`, client: 0 });
  assert.deepEqual(killed.ending, { kind: "signalled", signal: 9 });
});

Deno.test("unit.exec() stops the unit when it is cancelled", async () => {
  const { commands } = await play({ entry: transientUnit, report: done(143), cancelled: true });
  const stop = `systemctl --machine=run-42 stop nspawn-runner-${NONCE}.service`;
  assert.ok(commands().some((line) => line.endsWith(` ${stop}`)));
});

Deno.test("nsenter.exec() runs a stage in a cgroup of the machine, with its capabilities alone", async () => {
  const { ending, processes } = await play({ entry: nsenter, report: done(4) });
  assert.deepEqual(ending, { kind: "exited", code: 4 });
  assert.deepEqual(processes[0]!.argv.slice(3), [
    "sh",
    "200", // hundredths of a second for what it leaves behind
    `/cg/m/stage-${NONCE}`,
    "setpriv",
    "--bounding-set=-cap_12,-cap_14",
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
    "nsenter",
    "--target=77",
    "--all",
    "--",
    "/bin/sh",
    "reporter",
  ]);
});

const EXITING = ALIVE.replace("S 0 0 0 0 0 0", "S 0 0 0 0 0 4");

for (const [name, entry] of [["unit", transientUnit], ["nsenter", nsenter]] as const) {
  Deno.test(`${name}.exec() tells a machine that ended from a script that failed`, async () => {
    for (const report of [done(0), done(143), `${NONCE} started\n`, ""]) {
      const { ending } = await play({ entry, report, known: false });
      assert.equal(ending.kind, "lost", JSON.stringify(report));
    }
  });

  Deno.test(`${name}.exec() sees the end of a PID 1 before its record is gone`, async () => {
    const { ending } = await play({ entry, report: done(137), stat: EXITING });
    assert.equal(ending.kind, "lost");
  });

  Deno.test(`${name}.exec() of a stage that never began is a failure of the host`, async () => {
    const scene = { entry, report: "other 0\n", client: 1 };
    await assert.rejects(play(scene), { name: "Failure", kind: "host" });
  });
}

Deno.test("unit.exec() finds a machine lost that shuts down, whatever its script made of that", async () => {
  for (const code of [1, 143]) {
    for (const state of ["stopping", "offline", ""]) {
      const { ending } = await play({ entry: transientUnit, report: done(code), state });
      assert.equal(ending.kind, "lost", `${code} ${state}`);
    }
    for (const state of ["running", "degraded", "starting"]) {
      const { ending } = await play({ entry: transientUnit, report: done(code), state });
      assert.equal(ending.kind, "exited", `${code} ${state}`);
    }
  }
  const trapped = await play({ entry: transientUnit, report: done(0), client: 1, state: "stopping" });
  assert.equal(trapped.ending.kind, "lost");
});

Deno.test("nsenter.exec() drops nothing where the machine's PID 1 has dropped nothing", async () => {
  const leader = { ...LEADER, dropped: [], noNewPrivileges: false, filtered: true };
  const { commands } = await play({ entry: nsenter, report: done(0), leader });
  assert.match(
    commands()[0]!,
    / setpriv --inh-caps=-all -- nsenter --target=77 --all -- \/bin\/sh /,
  );
});

Deno.test("nsenter.exec() drops what entering needs by tools that no job can change", async () => {
  const leader = { ...LEADER, dropped: [21], noNewPrivileges: true, filtered: true };
  const { processes } = await play({ entry: nsenter, report: done(0), leader });
  const words = processes[0]!.argv.slice(6);
  assert.deepEqual(words.slice(0, 5), [
    "unshare",
    "--mount",
    "--propagation=slave",
    "sh",
    "-c",
  ]);
  assert.deepEqual(words.slice(7), [
    `/store/.machines/${leaseOf("/store", "42").machine}/tools`,
    "nsenter",
    "--target=77",
    "--all",
    "--root=.",
    "--wd=/proc/77/root",
    "--",
    "setpriv",
    "--bounding-set=-cap_21",
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
    "chroot",
    ".",
    "/bin/sh",
    "reporter",
  ]);
});
