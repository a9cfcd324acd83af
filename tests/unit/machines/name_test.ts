import assert from "node:assert/strict";
import { Failure } from "../../../src/failure.ts";
import { isMachineName, machineName } from "../../../src/machines/name.ts";

Deno.test("machineName() is run-ID by hand and tells servers apart under GitLab", () => {
  assert.equal(machineName("42", undefined), "run-42");
  assert.equal(machineName("42", "ba7816bf"), "run-42-ba7816bf");
  assert.equal(machineName("a.b-c", undefined), "run-a.b-c");
});

Deno.test("machineName() refuses an id that machined would, as a usage error", () => {
  const bad = ["", " ", "../x", "a/b", "a_b", "-", "1-", "1.", "a..b", "a\n", "ä", "a\0", "$(id)"];
  for (const id of [...bad, "9".repeat(61)]) {
    assert.throws(() => machineName(id, undefined), (error) => {
      assert.ok(error instanceof Failure, id);
      assert.equal(error.kind, "usage");
      return true;
    });
  }
  assert.equal(machineName("9".repeat(60), undefined).length, 64);
});

Deno.test("isMachineName() takes what machineName() makes, and no path", () => {
  assert.ok(isMachineName("run-42-ba7816bf"));
  for (const name of [".", "..", "a/b", ".json", "-a", "a-", ""]) assert.ok(!isMachineName(name));
});
