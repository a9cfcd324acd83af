/** The note of one stage. */

import type { Ending } from "../ending.ts";
import type { Host } from "../host/host.ts";
import type { MachineName } from "../machines/record/name.ts";
import { addNote, stagePurpose } from "./notes.ts";

/** A stage that has begun. */
export interface BegunStage {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  /** What the lock of the stage tells of it. */
  readonly purpose: string;
  /** Called when its script has begun to run in the machine. */
  readonly onBegun: () => void;
  /** Notes its end; `ending` is null where the host failed. */
  end(ending: Ending | null, isCancelled: boolean, lines: readonly string[]): Promise<void>;
}

/**
 * Begins the note of a stage.
 *
 * @param name GitLab Runner's name of it; undefined by hand.
 */
export function beginStage(
  host: Host,
  machine: MachineName,
  name: string | undefined,
): BegunStage {
  const at = host.clock.now();
  const stage = name ?? null;
  let overhead: number | null = null;
  return {
    at,
    purpose: stagePurpose({ at, stage }),
    onBegun: () => void (overhead = host.clock.now() - at),
    end: (ending, isCancelled, lines) =>
      addNote(host, machine, {
        ...{ at, note: "stage", stage, took: host.clock.now() - at, overhead },
        ...{ ending, isCancelled, lines },
      }),
  };
}
