/** Passes the output of a script on to our own streams. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { CHANNEL } from "../record/channel.ts";
import type { StageRun } from "./script.ts";

/** The output of a script. */
export interface Output {
  /** Resolves when the script and all its processes have closed the output, or nobody reads it any more. */
  readonly ended: Promise<void>;
  isOpen(): boolean;
  /** Returns when the last output came, by the monotonic clock. */
  last(): number;
  /** Lets go of pipes that no script ever opened. */
  release(): Promise<void>;
}

/** Starts to copy a stage's output to our own streams. */
export function relayOutput(host: Host, { paths, streams }: StageRun): Output {
  const pipes = streams === "one" ? [CHANNEL.stdout] : [CHANNEL.stdout, CHANNEL.stderr];
  let isOpen = true;
  let last = host.clock.monotonic();
  const onOutput = () => void (last = host.clock.monotonic());
  const ended = Promise.all(
    pipes.map((name) => host.terminal.relay(join(paths.stage, name), name, onOutput)),
  ).then(() => void (isOpen = false));
  return {
    ended,
    isOpen: () => isOpen,
    last: () => last,
    async release() {
      if (!isOpen) return;
      // A pipe that gets a writer for a moment is at its end for its reader, unless a process still holds it.
      for (const name of pipes) (await host.files.openPipe(join(paths.stage, name))).close();
    },
  };
}
