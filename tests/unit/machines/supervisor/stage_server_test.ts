import assert from "node:assert/strict";
import { serverState } from "../../../../src/machines/supervisor/stage_server.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { specOf } from "../fixture.ts";

Deno.test("serverState() is that of the last line that the server has written", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const result = `${folder}/result`;
    const spec = specOf({ paths: { ...specOf().paths, result } });
    assert.equal(await serverState(host, spec), "none");
    for (
      const [text, state] of [
        ["", "none"],
        ["begun\n", "begun"],
        ["begun\nready\n", "ready"],
        ["ready\n", "ready"],
      ] as const
    ) {
      await Deno.writeTextFile(result, text);
      assert.equal(await serverState(host, spec), state);
    }
  });
});
