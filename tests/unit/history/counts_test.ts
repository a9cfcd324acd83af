import assert from "node:assert/strict";
import { BOUNDS, countJob, noCounts } from "../../../src/history/counts.ts";
import { recordOf, usageOf } from "./fixture.ts";

Deno.test("countJob() adds a job to counters and histograms", () => {
  const counts = noCounts();
  countJob(counts, recordOf());
  countJob(counts, recordOf({ outcome: "lost", usage: null, wasPulled: true }));
  countJob(counts, recordOf({ outcome: "host", calls: [{ call: "prepare", at: 0, took: 10 }] }));
  const { jobs, cpu, written, pulls, times } = counts;
  assert.deepEqual(jobs, { success: 1, lost: 1, host: 1 });
  const { cpu: used, ioWritten } = usageOf();
  assert.deepEqual([cpu, written, pulls], [2 * used! / 1e6, 2 * ioWritten!, 1]);
  assert.equal(times.prepare.sum, 1.8, "a start that failed does not count");
  const bounds = [...BOUNDS.prepare, Infinity];
  const above = times.prepare.buckets.map((count, index) => [bounds[index], count]);
  assert.deepEqual(above.slice(3, 6), [[0.5, 0], [1, 2], [2, 2]]);
  assert.deepEqual(times.job.buckets.at(-1), 3);
  assert.deepEqual([times.overhead.sum, times.overhead.buckets.at(-1)], [0.024, 2]);
  assert.equal(times.queue.buckets.at(-1), 0, "there was no wait");
});

Deno.test("countJob() decreases no sum after the clock was set back", () => {
  const counts = noCounts();
  countJob(counts, recordOf({ calls: [{ call: "cleanup", at: 0, took: -3_600_000 }] }));
  const { sum, buckets } = counts.times.cleanup;
  assert.deepEqual([sum, buckets[0], buckets.at(-1)], [0, 1, 1]);
});
