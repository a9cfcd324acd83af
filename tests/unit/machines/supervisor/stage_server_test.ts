import assert from "node:assert/strict";
import { isServerReady } from "../../../../src/machines/supervisor/stage_server.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { specOf } from "../fixture.ts";

Deno.test("isServerReady() is true once the server has written its line", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const result = `${folder}/result`;
    const spec = specOf({ paths: { ...specOf().paths, result } });
    assert.ok(!await isServerReady(host, spec));
    await Deno.writeTextFile(result, "");
    assert.ok(!await isServerReady(host, spec));
    await Deno.writeTextFile(result, "ready\n");
    assert.ok(await isServerReady(host, spec));
  });
});
