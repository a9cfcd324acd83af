import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import {
  heldName,
  idOf,
  isMachineName,
  machineName,
  serviceName,
} from "../../../../src/machines/record/name.ts";

Deno.test("machineName() is run-ID by hand and tells servers apart under GitLab", () => {
  assert.equal(machineName("42", undefined), "run-42");
  assert.equal(machineName("42", "ba7816bf"), "run-42-ba7816bf");
  assert.equal(machineName("a.b-c", undefined), "run-a.b-c");
});

Deno.test("machineName() refuses an id that machined would, as a usage error", () => {
  const bad = ["", " ", "../x", "a/b", "a_b", "-", "1-", "1.", "a..b", "a\n", "ä", "a\0", "$(id)"];
  const worse = [
    ".",
    "..",
    "a.-b",
    "a-.b",
    "%n",
    "a@b",
    "a:b",
    "1\n2",
    "\\x2d",
    "1 2",
    "9".repeat(80),
  ];
  for (const id of [...bad, ...worse, "9".repeat(61)]) {
    assert.throws(() => machineName(id, undefined), (error) => {
      assert.ok(error instanceof Failure, id);
      assert.equal(error.kind, "usage");
      assert.ok(error.hint && error.message.includes(JSON.stringify(id)));
      return true;
    });
  }
  assert.equal(machineName("-1", undefined), "run--1");
  // The server's part counts: a name that fits by hand may be too long under GitLab.
  assert.throws(() => machineName("9".repeat(52), "ba7816bf"), { kind: "usage" });
  assert.equal(machineName("9".repeat(51), "ba7816bf").length, 64);
  assert.equal(machineName("9".repeat(60), undefined).length, 64);
});

Deno.test("idOf() is what makes the same machine by hand", () => {
  for (const name of [machineName("42", undefined), machineName("42", "ba7816bf")]) {
    assert.equal(machineName(idOf(name), undefined), name);
  }
});

Deno.test("isMachineName() takes what machineName() makes, and no path", () => {
  assert.ok(isMachineName("run-42-ba7816bf"));
  for (const name of [".", "..", "a/b", ".json", "-a", "a-", ""]) assert.ok(!isMachineName(name));
});

Deno.test("heldName() is a valid name, also for the longest id", () => {
  const long = machineName(`${"a".repeat(58)}-b`, undefined);
  assert.ok(isMachineName(heldName(long)), heldName(long));
});

Deno.test("serviceName() is numbered, and its held name is no other one's", () => {
  const job = (length: number) => machineName("9".repeat(length), undefined);
  assert.equal(serviceName(machineName("42", "ba7816bf"), 3), "service-42-ba7816bf-3");
  const [first, last] = [1, 50].map((number) => serviceName(job(48), number));
  assert.ok(heldName(first!).endsWith("-1") && heldName(last!).endsWith("-50"));
  assert.throws(() => serviceName(job(49), 50), {
    kind: "usage",
    hint: "Use an id of at most 48 characters",
  });
});
