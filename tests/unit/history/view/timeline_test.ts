import assert from "node:assert/strict";
import { drawTimeline } from "../../../../src/history/view/timeline.ts";
import { recordOf } from "../fixture.ts";

Deno.test("drawTimeline() draws each call where it was, and the parts of prepare below it", () => {
  const record = recordOf({
    calls: [
      { call: "prepare", at: 0, took: 15_000, parts: { image: 6000, start: 9000 } },
      { call: "build_script", at: 15_000, took: 30_000, code: 42 },
      { call: "cleanup", at: 59_990, took: 10 },
    ],
  });
  assert.deepEqual(drawTimeline(record, "#").trimEnd().split("\n"), [
    "CALL          TIME",
    "prepare       15.0 s  ##########",
    "  image       6.0 s   ####",
    "  start       9.0 s       ######",
    "build_script  30.0 s            ####################            exit code 42",
    "cleanup       10 ms                                          #",
  ]);
  assert.deepEqual(drawTimeline(record, null).split("\n").slice(3, 5), [
    "  start       9.0 s",
    "build_script  30.0 s  exit code 42",
  ]);
});

Deno.test("drawTimeline() draws a job whose clock was set back", () => {
  const record = recordOf({
    began: "2030-01-02T00:00:00.000Z",
    calls: [{ call: "prepare", at: -5000, took: 0 }],
  });
  assert.match(drawTimeline(record, "#"), /^prepare +0 ms +#$/m);
});
