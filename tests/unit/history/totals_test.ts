import assert from "node:assert/strict";
import { appendRecord } from "../../../src/history/append.ts";
import { countJobs, foldDays } from "../../../src/history/totals.ts";
import { inFolder, recordingHost } from "../recording_host.ts";
import { recordOf } from "./fixture.ts";

Deno.test("countJobs() counts a job once, also after its day was folded and removed", () =>
  inFolder(async (store) => {
    const { host } = recordingHost({ now: Date.UTC(2030, 0, 5, 12) });
    const counted = async () => (await countJobs(host, store)).counts.jobs["success"];
    await foldDays(host, store);
    for (const day of [1, 2, 4, 5]) {
      const ended = `2030-01-0${day}T10:00:00.000Z`;
      await appendRecord(host, store, recordOf({ machine: `run-${day}`, ended }));
    }
    assert.equal(await counted(), 4);
    await foldDays(host, store);
    assert.equal(await counted(), 4);
    const { through } = JSON.parse((await host.files.read(`${store}/.history/totals.json`))!);
    assert.equal(through, "2030-01-02", "the day before may still grow");
    await host.files.remove(`${store}/.history/2030-01-01.jsonl`);
    await foldDays(host, store);
    assert.equal(await counted(), 4);
    await host.files.append(`${store}/.history/2030-01-05.jsonl`, "broken\n");
    assert.equal((await countJobs(host, store)).broken, 1);
    await host.files.write(`${store}/.history/totals.json`, "{");
    assert.equal(await counted(), 3, "what is left, where the totals are damaged");
  }));
