/** The notes of one stage. */

import type { Ending } from "../ending.ts";
import type { Host } from "../host/host.ts";
import type { MachineName } from "../machines/record/name.ts";
import { addNote } from "./notes.ts";

/** The notes of a stage that has begun. */
export interface StageNotes {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  /** Notes that its script has begun to run in the machine. */
  begun(): void;
  /** Notes its end; `ending` is null where the host failed. */
  end(ending: Ending | null, isCancelled: boolean, lines: readonly string[]): Promise<void>;
}

/**
 * Notes that a stage begins.
 *
 * @param stage GitLab Runner's name of it; undefined by hand.
 */
export async function stageNotes(
  host: Host,
  machine: MachineName,
  stage: string | undefined,
): Promise<StageNotes> {
  const at = host.clock.now();
  let script: number | null = null;
  await addNote(host, machine, { at, note: "stage", stage: stage ?? null });
  return {
    at,
    begun: () => void (script = host.clock.now()),
    end: (ending, isCancelled, lines) =>
      addNote(host, machine, {
        at: host.clock.now(),
        note: "end",
        ...{ ending, script, isCancelled, lines },
      }),
  };
}
