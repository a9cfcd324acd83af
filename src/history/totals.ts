/** The counts of all jobs that ever ended here, also of those whose records are removed: counters must not decrease. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";
import { countJob, type Counts, noCounts } from "./counts.ts";
import { dayFile, dayOf, historyFolder, listDays } from "./folder.ts";
import { parseRecords } from "./read.ts";

/** Counts of the days up to one. */
interface Totals {
  /** The last day that is counted, as `2030-01-31`; empty for none. */
  readonly through: string;
  readonly counts: Counts;
}

/** What is counted of all jobs. */
export interface AllCounts {
  readonly counts: Counts;
  /** Lines of the days since the last folding that cannot be read. */
  readonly broken: number;
}

/** Counts all jobs that ended. */
export async function countJobs(host: Host, store: string): Promise<AllCounts> {
  const { through, counts } = await readTotals(host, store);
  const days = (await listDays(host, store)).filter((day) => day > through);
  return { counts, broken: await countDays(host, store, days, counts) };
}

/** Folds the days before yesterday into one file, so that not all records are read at each count. */
export async function foldDays(host: Host, store: string): Promise<void> {
  const { through, counts } = await readTotals(host, store);
  // A job that ended at midnight may be appended a moment later.
  const yesterday = dayOf(new Date(host.clock.now() - DAY).toISOString());
  const days = (await listDays(host, store)).filter((day) => day > through && day < yesterday);
  if (days.length === 0) return;
  await countDays(host, store, days, counts);
  const totals = { version: 1, through: days.at(-1)!, counts };
  await host.files.replace(totalsPath(store), JSON.stringify(totals) + "\n");
}

/** Milliseconds. */
const DAY = 86_400_000;

function totalsPath(store: string): string {
  return join(historyFolder(store), "totals.json");
}

async function readTotals(host: Host, store: string): Promise<Totals> {
  const none = { through: "", counts: noCounts() };
  try {
    const totals = JSON.parse(await host.files.read(totalsPath(store)) ?? "null");
    return totals?.version === 1 ? totals : none;
  } catch {
    return none;
  }
}

async function countDays(
  host: Host,
  store: string,
  days: readonly string[],
  counts: Counts,
): Promise<number> {
  let broken = 0;
  for (const day of days) {
    const read = parseRecords(await host.files.read(dayFile(store, day)) ?? "");
    broken += read.broken;
    for (const record of read.records) countJob(counts, record);
  }
  return broken;
}
