import assert from "node:assert/strict";
import { expandInOneAnother } from "../../../../src/pipeline/job/expand.ts";
import type { JobVariable } from "../../../../src/pipeline/model.ts";

function expanded(...variables: JobVariable[]): Record<string, string> {
  return Object.fromEntries(expandInOneAnother(variables).map(({ key, value }) => [key, value]));
}

Deno.test("expandInOneAnother() expands in any order, and keeps what it does not know", () => {
  assert.deepEqual(
    expanded(
      { key: "A", value: "<$B> ${B} %B% $NONE ${NONE} $$B %%" },
      { key: "B", value: "b$C" },
      { key: "C", value: "first" },
      { key: "C", value: "c" },
    ),
    { A: "<bc> bc bc $NONE ${NONE} $$B %%", B: "bc", C: "c" },
  );
});

Deno.test("expandInOneAnother() leaves raw variables and files to GitLab Runner", () => {
  assert.deepEqual(
    expanded(
      { key: "A", value: "$RAW $FILE" },
      { key: "RAW", value: "$B", raw: true },
      { key: "FILE", value: "content", file: true },
      { key: "B", value: "b" },
    ),
    { A: "$RAW $FILE", RAW: "$B", FILE: "content", B: "b" },
  );
});

Deno.test("expandInOneAnother() expands nothing where variables form a circle", () => {
  const circle = { A: "$B", B: "$A", C: "$D", D: "d" };
  assert.deepEqual(
    expanded(...Object.entries(circle).map(([key, value]) => ({ key, value }))),
    circle,
  );
});
