import assert from "node:assert/strict";
import { slowSteps } from "../../../../src/pipeline/session/slow_steps.ts";
import { recordingHost } from "../../recording_host.ts";

Deno.test("slowSteps() prints the step that takes long, and those after it", () => {
  const { host, err } = recordingHost();
  let pass = () => {};
  let isForgotten = false;
  const after = (_: number, act: () => void) => {
    pass = act;
    return () => void (isForgotten = true);
  };
  const steps = slowSteps({ ...host, clock: { ...host.clock, after } });
  steps.begin("one");
  steps.begin("two");
  assert.equal(err(), "");
  pass();
  steps.begin("three");
  steps[Symbol.dispose]();
  assert.equal(err(), "two\nthree\n");
  assert.ok(isForgotten);
});
