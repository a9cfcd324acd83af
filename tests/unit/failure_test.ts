import assert from "node:assert/strict";
import {
  Failure,
  hostFailure,
  messageOf,
  refused,
  stackOf,
  usageError,
} from "../../src/failure.ts";

Deno.test("Failure keeps its kind, hint and cause", () => {
  const cause = new TypeError("a bug");
  const failure = refused("Cannot x: y", "Try z", cause);
  assert.ok(failure instanceof Failure && failure instanceof Error);
  assert.deepEqual([failure.kind, failure.message, failure.hint], [
    "refused",
    "Cannot x: y",
    "Try z",
  ]);
  assert.equal(failure.cause, cause);
  assert.ok(!("cause" in hostFailure("Cannot x")), "no cause");
  assert.deepEqual([hostFailure("x").kind, usageError("x").kind], ["host", "usage"]);
});

Deno.test("stackOf() shows all causes, also those that are no errors", () => {
  const chain = stackOf(hostFailure("first", undefined, refused("second", undefined, "third")));
  assert.match(
    chain,
    /^Failure: first\n +at .*\nCaused by: Failure: second\n +at .*\nCaused by: third$/s,
  );
  assert.equal(stackOf("odd"), "odd");
});

Deno.test("messageOf() is the message of an error, or the thrown value as text", () => {
  assert.deepEqual([messageOf(new Error("a")), messageOf("b"), messageOf(null)], [
    "a",
    "b",
    "null",
  ]);
});
