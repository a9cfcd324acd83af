import assert from "node:assert/strict";
import { STAGE_COMMANDS } from "../../../src/cli/stage_commands.ts";
import { programFile, PROGRAMS_OF_STAGES } from "../../../src/host/installation.ts";

Deno.test("each stage of a job has a program of its own", async () => {
  assert.deepEqual(PROGRAMS_OF_STAGES, STAGE_COMMANDS.map(({ name }) => name));
  for (const name of PROGRAMS_OF_STAGES) {
    const entry = new URL(`../../../src/cli/programs/${name}.ts`, import.meta.url);
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
  assert.equal(programFile("all"), `${folder}/all.js`);
});
