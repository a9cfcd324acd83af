/** The notes of prepare: kept in memory until the machine has a lease, since a failed prepare leaves no file. */

import type { Host } from "../host/host.ts";
import type { MachineName } from "../machines/record/name.ts";
import { notesOf } from "../machines/record/paths.ts";
import { addNote, beginNotes, type ConfigNote, type Note } from "./notes.ts";
import type { Part } from "./record.ts";

/** The notes of one prepare. */
export interface PrepareNotes {
  /** Notes that a part begins, and that the part before it has ended. */
  begin(part: Part): void;
  /** Writes what was noted so far, and all that follows: from now on a lease protects the file. */
  keep(): void;
  /** Notes that the machine is ready. */
  end(): void;
  /** Returns whether the machine still has these notes, so that the record is made of them when it ends. */
  areKept(): Promise<boolean>;
  /** Returns all notes. */
  all(): readonly Note[];
}

/**
 * Begins the notes of a prepare.
 *
 * @param began When it began, in milliseconds since 1970.
 * @param config The config stage before it; null by hand.
 */
export function prepareNotes(
  host: Host,
  machine: MachineName,
  began: number,
  config: ConfigNote | null,
): PrepareNotes {
  const notes: Note[] = [...(config === null ? [] : [config]), { at: began, note: "prepare" }];
  let isKept = false;
  const add = (note: Note) => {
    notes.push(note);
    if (isKept) addNote(host, machine, note);
  };
  return {
    begin: (part) => add({ at: host.clock.now(), note: "part", part }),
    keep() {
      isKept = true;
      beginNotes(host, machine, notes);
    },
    end: () => add({ at: host.clock.now(), note: "prepared" }),
    areKept: async () => isKept && await host.files.lstat(notesOf(machine)) !== null,
    all: () => notes,
  };
}
