import assert from "node:assert/strict";
import { STAGE_COMMANDS } from "../../../src/cli/stage_commands.ts";
import { FILES_OF_STAGES, programFile } from "../../../src/host/installation.ts";

Deno.test("each call of a job has a file of the script, and a module that is bundled into it", async () => {
  assert.deepEqual(FILES_OF_STAGES, STAGE_COMMANDS.map(({ name }) => name));
  for (const name of FILES_OF_STAGES) {
    const entry = new URL(`../../../src/cli/script/${name}.ts`, import.meta.url);
    const constant = name.toUpperCase().replace("-", "_");
    assert.match(
      await Deno.readTextFile(entry),
      new RegExp(`^await runStage\\(${constant}\\);$`, "m"),
    );
  }
});

Deno.test("programFile() is beside Deno, for one command and for all", () => {
  const folder = Deno.execPath().replace(/[^/]*$/, "program");
  assert.equal(programFile("run"), `${folder}/run.js`);
  assert.equal(programFile(), `${folder}/all.js`);
});
