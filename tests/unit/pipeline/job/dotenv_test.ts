import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import { parseDotenv } from "../../../../src/pipeline/job/dotenv.ts";

Deno.test("parseDotenv() reads names and values, and strips spaces around them", () => {
  assert.deepEqual(parseDotenv('A=1\n B = x y \nC="q"\nD=\nE=a=b $A\n'), {
    A: "1",
    B: "x y",
    C: '"q"',
    D: "",
    E: "a=b $A",
  });
  assert.deepEqual(parseDotenv("__proto__=1"), Object.fromEntries([["__proto__", "1"]]));
});

Deno.test("parseDotenv() refuses what GitLab refuses", () => {
  const wrong: [text: string, reason: RegExp][] = [
    ["# comment\n", /line 1 is not of the form/],
    ["A=1\n\nB=2\n", /line 2 is not of the form/],
    ["A-B=1", /line 1/],
    ["export A=1", /line 1/],
    ["A=\0", /NUL/],
    ["A=" + "x".repeat(5119), /more than 5120 bytes/],
    ["A=1\n".repeat(151), /more than 150 lines/],
  ];
  for (const [text, reason] of wrong) {
    assert.throws(
      () => parseDotenv(text),
      (error) => error instanceof Failure && reason.test(error.message),
      text.slice(0, 20),
    );
  }
});
