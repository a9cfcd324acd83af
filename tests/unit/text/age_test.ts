import assert from "node:assert/strict";
import { formatAge } from "../../../src/text/age.ts";

Deno.test("formatAge() shows the one or two largest units", () => {
  const ages: readonly (readonly [number, string])[] = [
    [0, "0s"],
    [59, "59s"],
    [60, "1min"],
    [3599, "59min"],
    [3 * 3600 + 5 * 60, "3h5min"],
    [48 * 3600 - 1, "47h59min"],
    [48 * 3600, "2d"],
  ];
  for (const [seconds, text] of ages) assert.equal(formatAge(seconds), text);
});
