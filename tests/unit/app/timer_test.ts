import assert from "node:assert/strict";
import { timerTime } from "../../../src/app/timer.ts";

Deno.test("timerTime() is no more than a timer takes", () => {
  assert.equal(timerTime(2), 2000);
  assert.equal(timerTime(30 * 86_400), 2_147_483_647);
});
