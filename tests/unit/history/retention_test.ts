import assert from "node:assert/strict";
import { unkeptDays } from "../../../src/history/retention.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const DAY = 86_400;

Deno.test("unkeptDays() returns days that are too old, and the first ones while all are too large", () =>
  inFolder(async (store) => {
    const { host } = recordingHost({ now: Date.UTC(2030, 0, 31, 12) });
    await host.files.makeDirectory(`${store}/.history`);
    for (const day of ["2029-10-01", "2030-01-29", "2030-01-30", "2030-01-31"]) {
      await host.files.write(`${store}/.history/${day}.jsonl`, "x".repeat(1000));
    }
    await host.files.write(`${store}/.history/other.json`, "{}");
    const unkept = async (policy: { size: number; age: number }) =>
      (await unkeptDays(host, store, policy)).map(({ path, reason }) =>
        `${path.slice(-16, -6)} ${reason.split(" ").at(-1)}`
      );
    const size = Infinity;
    assert.deepEqual(await unkept({ size, age: 90 * DAY }), ["2029-10-01 history_max_age"]);
    assert.deepEqual(await unkept({ size: 2500, age: 90 * DAY }), [
      "2030-01-29 history_max_size",
      "2029-10-01 history_max_age",
    ]);
    const all = await unkept({ size: 1, age: 60 });
    assert.equal(all.length, 2, "the totals do not have the jobs of the other days yet");
  }));
