import assert from "node:assert/strict";
import type { Ending } from "../../../../src/ending.ts";
import { killStage } from "../../../../src/machines/exec/cancel.ts";
import { runInMachine } from "../../../../src/machines/exec/exec.ts";
import { parseReport } from "../../../../src/machines/exec/report.ts";
import type { Host } from "../../../../src/host/host.ts";
import type { Leader } from "../../../../src/machines/record/lease.ts";
import { type Answer, type Recording, recordingHost } from "../../recording_host.ts";
import { leaseOf, pathsIn } from "../fixture.ts";
import { ALIVE_STAT, LEADER } from "./leader.ts";

const NONCE = "0123abcd";

/** What a test decides. */
interface Scene {
  /** Called with each wait for a timer, in milliseconds. */
  readonly onSleep?: (ms: number) => void;
  /** What the server reports at each look; the last one again and again. */
  readonly reports: readonly string[];
  readonly booted?: boolean;
  readonly leader?: Leader;
  /** Whether some process keeps the output open for ever. */
  readonly isHeld?: boolean;
  /** Whether the supervisor still knows the machine. */
  readonly isKnown?: boolean;
  /** proc_pid_stat(5) of the machine's PID 1. */
  readonly stat?: string;
  /** The answer of `systemctl is-system-running` in the machine. */
  readonly state?: string;
  /** Called at each look, with what was done to pipes. */
  readonly onLook?: (look: number, calls: readonly string[]) => void;
  /** Called with the function that counts output. */
  readonly onRelay?: (onOutput: () => void) => void;
  readonly cancel?: AbortSignal;
}

/** Runs a stage whose script, server and kernel are played. */
async function play(scene: Scene): Promise<Recording & { ending: Ending; calls: string[] }> {
  const recording = recordingHost({
    answer(argv): Answer {
      if (argv[0] === "cat") return { stdout: scene.stat ?? ALIVE_STAT };
      return { stdout: `${scene.state ?? "running"}\n` };
    },
  });
  const calls: string[] = [];
  let looks = 0;
  const { files, terminal, clock } = recording.host;
  const host: Host = {
    ...recording.host,
    clock: { ...clock, sleep: (ms) => (scene.onSleep?.(ms), clock.sleep(ms)) },
    files: {
      ...files,
      write: () => Promise.resolve(),
      openPipe: (path) =>
        Promise.resolve({
          write: (text) => (calls.push(`${path} ${text}`), Promise.resolve()),
          close: () => void calls.push(`${path} closed`),
        }),
      readEnd: () => {
        scene.onLook?.(looks, calls);
        return Promise.resolve(scene.reports[Math.min(looks++, scene.reports.length - 1)]!);
      },
    },
    terminal: {
      ...terminal,
      relay: (_pipe, _stream, onOutput) => {
        scene.onRelay?.(onOutput);
        return scene.isHeld ? new Promise(() => {}) : Promise.resolve();
      },
    },
  };
  const leader = scene.leader ?? LEADER;
  const running = {
    lease: leaseOf("/store", "42", { leader, booted: scene.booted ?? false }),
    leader,
    isAlive: () => Promise.resolve(scene.isKnown ?? true),
  };
  const stage = {
    nonce: NONCE,
    streams: "both",
    paths: pathsIn("/machine"),
    hasVariables: false,
  } as const;
  const cancel = scene.cancel ?? new AbortController().signal;
  const ending = await runInMachine(host, running, stage, cancel);
  return { ...recording, ending, calls };
}

const STARTED = `${NONCE} started\n`;
const reportOf = (code: number) => `ready\n${STARTED}${NONCE} ${code}\n`;

Deno.test("parseReport() counts only whole lines with the stage's nonce", () => {
  const killed = { kind: "signalled", signal: 9 };
  assert.equal(parseReport("", "abc"), "waiting");
  assert.equal(parseReport("xyz started\nxyz 0\n", "abc"), "waiting");
  assert.equal(parseReport("abc started\nabc 4x\nabc 12345\nabc 256\nabc 1", "abc"), "running");
  assert.deepEqual(parseReport("abc 4\n", "abc"), { kind: "exited", code: 4 }, "on a full disk");
  assert.deepEqual(parseReport("ready\nabc started\nabc 4\n", "abc"), { kind: "exited", code: 4 });
  assert.deepEqual(parseReport("abc started\nabc 4\nready\n", "abc"), { kind: "exited", code: 4 });
  assert.deepEqual(parseReport("ready\nabc started\nready\n", "abc"), killed);
});

Deno.test("runInMachine() calls the server, starts no process for a script that succeeds, and closes the call", async () => {
  const { ending, calls, commands } = await play({ reports: [reportOf(0)] });
  assert.deepEqual(ending, { kind: "exited", code: 0 });
  assert.deepEqual(calls.filter((call) => call.includes("/call ")), [
    `/machine/stage/call ${NONCE}\n`,
    "/machine/stage/call closed",
  ]);
  assert.deepEqual(commands(), []);
});

Deno.test("runInMachine() waits for the report that comes after the output's end", async () => {
  const { ending } = await play({ reports: ["", STARTED, STARTED, reportOf(4)] });
  assert.deepEqual(ending, { kind: "exited", code: 4 });
});

Deno.test("runInMachine() waits for no timer while a script begins, and while its report is written", async () => {
  const sleeps: number[] = [];
  const reports = ["", "", "", STARTED, STARTED, STARTED, reportOf(0)];
  await play({ reports, onSleep: (ms) => sleeps.push(ms) });
  assert.deepEqual(sleeps, []);
});

Deno.test("runInMachine() returns though a process that the stage asked for keeps its output open", async () => {
  const { ending, calls } = await play({ reports: [STARTED, reportOf(4)], isHeld: true });
  assert.deepEqual(ending, { kind: "exited", code: 4 });
  assert.ok(calls.includes("/machine/stage/stdout closed"), "lets go of the output");
});

for (const booted of [true, false]) {
  const kind = booted ? "booted" : "plain";
  Deno.test(`runInMachine() tells a ${kind} machine that ended from a script that failed`, async () => {
    for (const report of [reportOf(0), reportOf(143), STARTED, ""]) {
      const { ending } = await play({ booted, reports: [report], isKnown: false });
      assert.equal(ending.kind, "lost", JSON.stringify(report));
    }
  });

  Deno.test(`runInMachine() sees that PID 1 of a ${kind} machine is exiting before its record is gone`, async () => {
    const stat = ALIVE_STAT.replace("S 0 0 0 0 0 0", "S 0 0 0 0 0 4"); // PF_EXITING
    assert.equal((await play({ booted, reports: [reportOf(137)], stat })).ending.kind, "lost");
  });

  Deno.test(`runInMachine() fails as the host where the server of a ${kind} machine does not answer`, async () => {
    await assert.rejects(play({ booted, reports: ["ready\n"] }), { kind: "host" });
  });

  Deno.test(`killStage() kills the cgroup of the stage in a ${kind} machine`, async () => {
    const { host, processes } = recordingHost();
    const cgroup = booted ? "/cg/m/payload/init.scope" : "/cg/m/payload";
    const leader = { ...LEADER, cgroup };
    await killStage(host, { lease: leaseOf("/store", "42", { booted }), leader });
    const expected = booted ? "/cg/m/payload/nspawn-runner.service/stage" : "/cg/m/payload/stage";
    assert.deepEqual(processes[0]!.argv.slice(-2), [expected, "KILL"]);
  });
}

Deno.test("runInMachine() of a stage that was cancelled before it was called calls nobody", async () => {
  const { ending, calls } = await play({ reports: [""], cancel: AbortSignal.abort() });
  assert.deepEqual(ending, { kind: "signalled", signal: 15 });
  assert.ok(!calls.some((call) => call.includes(NONCE)));
});

Deno.test("runInMachine() lets the output end when the script has begun, and not before", async () => {
  const seen: string[] = [];
  const { calls } = await play({
    reports: ["", STARTED, reportOf(0)],
    onLook: (look, calls) =>
      void seen.push(`${look} ${calls.includes("/machine/stage/stdout closed")}`),
  });
  assert.deepEqual(seen, ["0 false", "1 false", "2 true"]);
  assert.ok(calls.includes("/machine/stage/stderr closed"));
});

Deno.test("runInMachine() of a stage whose report the job has erased has been killed", async () => {
  const { ending } = await play({ reports: [STARTED, ""] });
  assert.deepEqual(ending, { kind: "signalled", signal: 9 });
});

Deno.test("runInMachine() waits for no output that goes on for ever", async () => {
  let output = () => {};
  const { ending } = await play({
    reports: [STARTED, reportOf(4)],
    isHeld: true,
    onRelay: (onOutput) => void (output = onOutput),
    onLook: () => output(),
  });
  assert.deepEqual(ending, { kind: "exited", code: 4 });
});

/** Plays a stage that is cancelled at the second look. */
function playCancelled(scene: Scene) {
  const cancel = new AbortController();
  const onLook = (look: number) => look === 1 && cancel.abort();
  return play({ isHeld: true, ...scene, cancel: cancel.signal, onLook });
}

Deno.test("runInMachine() of a cancelled stage takes back the call, ends its processes, and goes by the report", async () => {
  const { ending, calls, commands } = await playCancelled({
    reports: ["", STARTED, STARTED, reportOf(143)],
  });
  assert.deepEqual(ending, { kind: "exited", code: 143 });
  assert.ok(calls.includes("/machine/stage/call closed"));
  assert.deepEqual(
    commands().filter((line) => / (TERM|KILL)$/.test(line)).map((line) => line.slice(-26)),
    [
      "sh /cg/m/payload/stage TERM",
    ].map((line) => line.slice(-26)),
  );
});

Deno.test("runInMachine() of a stage that is cancelled before it begins is no failure of the host", async () => {
  const { ending } = await playCancelled({ reports: [""] });
  assert.deepEqual(ending, { kind: "signalled", signal: 15 });
});

Deno.test("runInMachine() of a cancelled stage that nobody reports has been killed", async () => {
  const { ending } = await playCancelled({ reports: [STARTED] });
  assert.deepEqual(ending, { kind: "signalled", signal: 9 });
});

Deno.test("runInMachine() reports a machine that shuts down as lost, whatever the script made of that", async () => {
  for (const code of [1, 143]) {
    const reports = [reportOf(code)];
    for (const state of ["stopping", "offline", ""]) {
      const { ending } = await play({ booted: true, reports, state });
      assert.equal(ending.kind, "lost", `${code} ${state}`);
    }
    for (const state of ["running", "degraded", "starting"]) {
      const { ending } = await play({ booted: true, reports, state });
      assert.equal(ending.kind, "exited", `${code} ${state}`);
    }
  }
});
