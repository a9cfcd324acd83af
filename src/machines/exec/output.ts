/** Passes the output of a script on to our own streams. */

import { join } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { CHANNEL } from "../record/channel.ts";
import type { StageRun } from "./script.ts";

/** The output of a script. */
export interface Output {
  /** Resolves when the script and all its processes have closed the output, or nobody reads it any more. */
  readonly ended: Promise<void>;
  isOpen(): boolean;
  /** Returns the milliseconds since the last output. */
  silence(): number;
  /** Has to be called once the script has begun, or never will: from then on the output can end. */
  letEnd(): void;
}

/** Starts to copy a stage's output to our own streams. */
export async function relayOutput(host: Host, { paths, streams }: StageRun): Promise<Output> {
  const names = streams === "one" ? [CHANNEL.stdout] : [CHANNEL.stdout, CHANNEL.stderr];
  // A pipe without a writer could not be opened without waiting, and would be at its end at once.
  const writers = await Promise.all(
    names.map((name) => host.files.openPipe(join(paths.stage, name))),
  );
  let isOpen = true;
  let last = host.clock.monotonic();
  const onOutput = () => void (last = host.clock.monotonic());
  const relays = names.map((name) =>
    host.terminal.relay(join(paths.stage, name), name, onOutput).catch((error) =>
      host.log.warn(`nspawn-runner: the output of the script is lost: ${messageOf(error)}`)
    )
  );
  return {
    ended: Promise.all(relays).then(() => void (isOpen = false)),
    isOpen: () => isOpen,
    silence: () => host.clock.monotonic() - last,
    letEnd() {
      for (const writer of writers) writer.close();
    },
  };
}
