import assert from "node:assert/strict";
import { formatDuration } from "../../../src/text/duration.ts";

Deno.test("formatDuration() shows three digits or the largest units", () => {
  const shown = [0, 340.4, 12_340, 420_000, 11_100_000].map(formatDuration);
  assert.deepEqual(shown, ["0 ms", "340 ms", "12.3 s", "7min", "3h5min"]);
});
