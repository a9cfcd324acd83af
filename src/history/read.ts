/** Reads the history, the last day first. */

import type { Host } from "../host/host.ts";
import { dayFile, listDays } from "./folder.ts";
import { type JobRecord, keyOf } from "./record.ts";

/** A part of the history. */
export interface History {
  /** The jobs that ended last come first. */
  readonly records: readonly JobRecord[];
  /** Lines that are incomplete, or of another version of this program. */
  readonly broken: number;
}

/** What is read of the history. */
export interface HistoryQuery {
  /** Milliseconds since 1970: jobs that ended before are left out. */
  readonly since?: number;
  /** Returns whether a job is wanted. */
  readonly matches?: (record: JobRecord) => boolean;
}

/** Reads the jobs that a query asks for, and no more days than it needs. */
export async function readHistory(
  host: Host,
  store: string,
  { since = 0, matches = () => true }: HistoryQuery = {},
): Promise<History> {
  const records: JobRecord[] = [];
  let broken = 0;
  for (const day of (await listDays(host, store)).reverse()) {
    if (Date.parse(day) + DAY < since) break;
    const read = parseRecords(await host.files.read(dayFile(store, day)) ?? "");
    broken += read.broken;
    const wanted = read.records
      .filter((record) => Date.parse(record.ended) >= since && matches(record))
      .sort((one, other) => Date.parse(other.ended) - Date.parse(one.ended));
    for (const record of wanted) records.push(record);
  }
  return { records, broken };
}

/** Milliseconds. */
const DAY = 86_400_000;

/** Parses the records of a day. A job is recorded twice where its cleanup was killed after the first time, which counts. */
export function parseRecords(text: string): History {
  const records = new Map<string, JobRecord>();
  let broken = 0;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const record = parseRecord(line);
    if (record === null) broken++;
    else if (!records.has(keyOf(record))) records.set(keyOf(record), record);
  }
  return { records: [...records.values()], broken };
}

function parseRecord(line: string): JobRecord | null {
  try {
    const record = JSON.parse(line);
    return isWhole(record) ? record : null;
  } catch {
    return null;
  }
}

/** Readers rely on these fields; a disk that lost some bytes may have left a line that is still JSON. */
function isWhole(record: JobRecord): boolean {
  const { version, began, ended, calls, services, lines, limits, usage, host } = record;
  return version === 1 && REQUIRED_STRINGS.every((key) => typeof record[key] === "string") &&
    Date.parse(began) + Date.parse(ended) > 0 && Array.isArray(lines) &&
    calls.every(({ call, at, took }) => typeof call === "string" && at + took < Infinity) &&
    services.every(({ aliases }) => Array.isArray(aliases)) &&
    [limits, host].every((one) => typeof one === "object" && one !== null) &&
    typeof usage === "object";
}

const REQUIRED_STRINGS = ["job", "machine", "began", "created", "ended", "outcome"] as const;
