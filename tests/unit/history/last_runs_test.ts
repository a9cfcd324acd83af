import assert from "node:assert/strict";
import { readLastRun, recordRun } from "../../../src/history/last_runs.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("readLastRun() returns what recordRun() wrote last, and makes no store", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    const store = `${folder}/store`;
    await recordRun(host, store, "gc", { failed: true });
    assert.equal(await host.files.lstat(store), null);
    await host.files.makeDirectory(`${store}/x`);
    assert.equal(await readLastRun(host, store, "gc"), null);
    await recordRun(host, store, "gc", { failed: true });
    await recordRun(host, store, "gc", { failed: false, cacheBytes: 7 });
    const run = { ended: "2030-01-01T00:00:00.000Z", failed: false, cacheBytes: 7 };
    assert.deepEqual(await readLastRun(host, store, "gc"), run);
    assert.equal(await readLastRun(host, store, "maintenance"), null);
    await host.files.write(`${store}/.history/last-gc.json`, "{");
    assert.equal(await readLastRun(host, store, "gc"), null);
  }));
