import assert from "node:assert/strict";
import { isLastStage, isUserScript } from "../../../src/gitlab/stages.ts";

Deno.test("isUserScript() is true for the user's script, its steps, and a call by hand", () => {
  for (const stage of [undefined, "build_script", "step_release"]) assert.ok(isUserScript(stage));
  for (const stage of ["after_script", "get_sources", "prepare_script", "new_stage"]) {
    assert.ok(!isUserScript(stage), stage);
  }
});

Deno.test("isLastStage() is true for the last stage only", () => {
  assert.ok(isLastStage("cleanup_file_variables"));
  assert.ok(!isLastStage("build_script"));
});
