import assert from "node:assert/strict";
import { isPlainMachineReady } from "../../../../src/machines/supervisor/plain.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { specOf } from "../fixture.ts";

Deno.test("isPlainMachineReady() is true once the machine's init has written its line", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const result = `${folder}/result`;
    const spec = specOf({ paths: { ...specOf().paths, result } });
    assert.ok(!await isPlainMachineReady(host, spec));
    await Deno.writeTextFile(result, "");
    assert.ok(!await isPlainMachineReady(host, spec));
    await Deno.writeTextFile(result, "ready\n");
    assert.ok(await isPlainMachineReady(host, spec));
  });
});
