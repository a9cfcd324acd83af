import assert from "node:assert/strict";
import { formatDuration, timerTime } from "../../../src/text/duration.ts";

Deno.test("formatDuration() shows three digits or the largest units", () => {
  const shown = [0, 340.4, 12_340, 420_000, 11_100_000].map(formatDuration);
  assert.deepEqual(shown, ["0 ms", "340 ms", "12.3 s", "7min", "3h5min"]);
});

Deno.test("timerTime() is no more than a timer takes", () => {
  assert.equal(timerTime(2), 2000);
  assert.equal(timerTime(30 * 86_400), 2_147_483_647);
});
