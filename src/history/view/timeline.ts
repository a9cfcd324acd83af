/** Draws the calls of a job as bars. */

import { formatDuration } from "../../text/duration.ts";
import { formatTable } from "../../text/table.ts";
import { durationOf, type JobRecord } from "../record.ts";

/** A line of a timeline. */
export interface Span {
  readonly name: string;
  /** Milliseconds from the job's beginning. */
  readonly at: number;
  /** Milliseconds. */
  readonly took: number;
  /** What became of it; empty where that is nothing special. */
  readonly note: string;
}

/** Returns the calls of a job, those of prepare with its parts. */
export function spansOf({ calls }: JobRecord): Span[] {
  return calls.flatMap(({ call, at, took, parts = {}, code }) => {
    let begun = at;
    const ofParts = Object.entries(parts).map(([part, took]) => {
      const span = { name: `  ${part}`, at: begun, took, note: "" };
      begun += took;
      return span;
    });
    const note = code === undefined ? "" : code === null ? "did not end" : `exit code ${code}`;
    return [{ name: call, at, took, note }, ...ofParts];
  });
}

/** Columns of the longest bar. */
const WIDTH = 40;

/**
 * Returns the timeline of a job as lines.
 *
 * @param mark The character of which bars are made; null for none.
 */
export function drawTimeline(record: JobRecord, mark: string | null): string {
  const spans = spansOf(record);
  const total = Math.max(durationOf(record), ...spans.map(({ at, took }) => at + took), 1);
  const rows = spans.map(({ name, at, took, note }) => [
    name,
    formatDuration(took),
    ...(mark === null ? [] : [barOf(at / total, took / total, mark)]),
    note,
  ]);
  return formatTable(["CALL", "TIME", ...(mark === null ? [] : [""]), ""], rows);
}

/** @param begin A share of the whole, as `length`. */
function barOf(begin: number, length: number, mark: string): string {
  const from = Math.min(WIDTH - 1, Math.max(0, Math.round(begin * WIDTH)));
  const columns = Math.min(WIDTH - from, Math.max(1, Math.round(length * WIDTH)));
  return (" ".repeat(from) + mark.repeat(columns)).padEnd(WIDTH);
}
