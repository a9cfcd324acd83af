import assert from "node:assert/strict";
import {
  abandonedPipelines,
  withPipelineFolder,
} from "../../../../src/machines/record/pipelines.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

Deno.test("a pipeline's folder is for root alone, and gone afterwards", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    const made = await withPipelineFolder(host, store, async (folder) => {
      assert.equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
      await Deno.writeTextFile(`${folder}/file`, "");
      return folder;
    });
    await assert.rejects(Deno.stat(made));
    const failing = withPipelineFolder(host, store, () => Promise.reject(new Error("no")));
    await assert.rejects(failing, /no/);
    assert.deepEqual(await host.files.list(`${store}/.pipelines`), []);
  });
});

Deno.test("a folder is abandoned when no process locks it, or it was never locked", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost({ now: Date.now() });
    await Deno.mkdir(`${store}/.pipelines/killed`, { recursive: true });
    await Deno.writeTextFile(`${store}/.pipelines/killed/lock`, "1\n");
    await Deno.mkdir(`${store}/.pipelines/.new-1`);
    await Deno.mkdir(`${store}/.pipelines/.new-2`);
    await Deno.utime(`${store}/.pipelines/.new-2`, 0, 0);
    await Deno.mkdir(`${store}/.pipelines/caches`);
    await withPipelineFolder(host, store, async () => {
      // Of the same process: locks of the kernel belong to open files.
      assert.deepEqual(await abandonedPipelines(host, store), [
        `${store}/.pipelines/.new-2`,
        `${store}/.pipelines/killed`,
      ]);
    });
  });
});
