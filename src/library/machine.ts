/** Machines of the library, while they run. */

import { reportFailure } from "../app/stage_report.ts";
import { isSuccess } from "../ending.ts";
import { hostFailure, refused } from "../failure.ts";
import { scriptCode } from "../gitlab/exit_codes.ts";
import { stopMachine } from "../machines/end/stop.ts";
import type { Lease } from "../machines/record/lease.ts";
import { runStage } from "../machines/use/run_script.ts";
import type { LibraryHost } from "./host.ts";
import { scriptOutput } from "./output.ts";
import { type Variables, withVariables } from "./script.ts";
import type { Machine, RunOptions, ScriptResult } from "./types.ts";

/** What a machine of the library is made of. */
export interface Started {
  readonly id: string;
  readonly lease: Lease;
  readonly variables: Variables;
  /** Aborts each script. */
  readonly signal: AbortSignal;
}

/** Returns the interface to a machine that runs. */
export function machineOf(host: LibraryHost, started: Started): Machine {
  const { id, lease } = started;
  let ended: Promise<void> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  const stop = () => stopMachine(host, () => Promise.resolve(lease.store), lease.machine);
  const end = () => {
    ended ??= stop().then(() => {}).catch((error) => {
      ended = null; // it can be tried again
      throw error;
    });
    return ended;
  };
  return {
    name: lease.machine,
    id,
    isBooted: lease.booted,
    run(script, options = {}) {
      // One after the other: a script's output may still be on its way when its lock is free.
      const ran = last.then(() => {
        if (ended !== null) throw hasEnded(lease);
        return runScript(host, started, script, options);
      });
      last = ran.catch(() => {});
      return ran;
    },
    end,
    [Symbol.asyncDispose]: end,
  };
}

async function runScript(
  host: LibraryHost,
  { lease, variables, signal }: Started,
  script: string,
  { stdout = "text", stderr = "text", variables: own = {}, signal: given }: RunOptions,
): Promise<ScriptResult> {
  const bytes = withVariables(script, { ...variables, ...own }, lease.shell);
  const failing = new AbortController();
  const signals = [signal, failing.signal, ...(given === undefined ? [] : [given])];
  const cancel = AbortSignal.any(signals);
  cancel.throwIfAborted();
  const isOne = stderr === "stdout";
  const targets = { stdout, stderr: isOne ? "null" : stderr } as const;
  const output = scriptOutput(host, targets, (reason) => failing.abort(reason));
  const streams = isOne ? "one" : "both";
  const stage = { script: bytes, shell: undefined, streams, kind: "script" } as const;
  const began = host.clock.now();
  try {
    const store = () => Promise.resolve(lease.store);
    const { ending } = await runStage(output.host, store, lease.machine, stage, cancel);
    await output.settle();
    cancel.throwIfAborted();
    const context = { stage: undefined, began, cancelled: false };
    const silent = { ...host, log: { ...host.log, info() {}, warn() {} } };
    const known = isSuccess(ending)
      ? { ending, lines: [] }
      : await reportFailure(silent, lease, ending, context);
    const code = scriptCode(known.ending);
    if (code === null) throw lost(lease, known.lines);
    return {
      code,
      stdout: output.text("stdout"),
      stderr: output.text("stderr"),
      reasons: known.lines,
    };
  } catch (error) {
    await output.settle();
    cancel.throwIfAborted(); // what follows from it is no reason of its own
    throw error;
  }
}

function hasEnded({ machine }: Lease): Error {
  return refused(
    `Cannot run a script in machine ${machine}: it was ended`,
    "Start another one: startMachine()",
  );
}

function lost({ machine }: Lease, lines: readonly string[]): Error {
  return hostFailure(
    `Cannot run the script to its end: machine ${machine} has ended meanwhile`,
    lines[0] ?? "Retry; the host's journal may tell why: journalctl -u 'nspawn-runner-run-*'",
  );
}
