/** Passes the output of one script on, while it runs. */

import type { Host } from "../host/host.ts";
import { until } from "../linux/wait.ts";
import type { LibraryHost } from "./host.ts";
import { type Sink, sinkOf } from "./sinks.ts";
import type { OutputTarget } from "./types.ts";

/** Milliseconds without output after which nobody waits for the rest: a process elsewhere may keep the output open. */
const SILENCE = 500;

/** The output of one script. */
export interface ScriptOutput {
  /** A host by which the script runs. */
  readonly host: Host;
  /** Waits until all output is passed on that the script left. */
  settle(): Promise<void>;
  /** Returns the text of a stream; the output is settled. */
  text(stream: "stdout" | "stderr"): string;
}

/**
 * Returns the output of a script that is to be run.
 *
 * @param fail Ends the script for a reason: a target does not take its output.
 * @throws where a target is in use.
 */
export function scriptOutput(
  host: LibraryHost,
  targets: Readonly<Record<"stdout" | "stderr", OutputTarget>>,
  fail: (reason: unknown) => void,
): ScriptOutput {
  const stdout = sinkOf(targets.stdout, "stdout");
  const isOne = typeof targets.stdout === "object" && targets.stdout === targets.stderr;
  const sinks = { stdout, stderr: isOne ? stdout : sinkOf(targets.stderr, "stderr") };
  const relays = new Map<string, Promise<void>>();
  const state = { isStopped: false, writing: 0, last: host.clock.monotonic() };
  const pass = async (sink: Sink, piece: Parameters<Sink["take"]>[0]) => {
    if (state.isStopped) return false;
    state.writing++;
    try {
      return await sink.take(piece);
    } catch (error) {
      fail(error);
      return false;
    } finally {
      state.writing--;
      state.last = host.clock.monotonic();
    }
  };
  const relay: Host["terminal"]["relay"] = (pipe, stream, onOutput) => {
    const relayed = host.readPieces(pipe, (piece) => {
      onOutput();
      return pass(sinks[stream], piece);
    }).catch(fail).finally(() => relays.delete(pipe));
    relays.set(pipe, relayed);
    return relayed;
  };
  const isQuiet = () => state.writing === 0 && host.clock.monotonic() - state.last > SILENCE;
  return {
    host: { ...host, terminal: { ...host.terminal, relay } },
    async settle() {
      await until(host, { interval: 5 }, () => relays.size === 0 || isQuiet());
      state.isStopped = true;
      await Promise.all([...relays].map(([pipe, relayed]) => wake(host, pipe, relayed)));
      for (const sink of new Set(Object.values(sinks))) sink.release();
    },
    text: (stream) => sinks[stream].text(),
  };
}

/** Ends the pending read of a pipe that another process keeps open, and would take the output of the next script. */
async function wake(host: Host, pipe: string, relayed: Promise<void>): Promise<void> {
  const writer = await host.files.openPipe(pipe);
  await writer.write("\n");
  await relayed;
  writer.close();
}
