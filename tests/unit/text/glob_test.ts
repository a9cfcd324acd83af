import assert from "node:assert/strict";
import { globRegExp } from "../../../src/text/glob.ts";

Deno.test("globRegExp() matches whole names as a shell does", () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["*", ["bookworm", "a"], []],
    ["debian-*", ["debian-", "debian-12"], ["debian", "xdebian-12"]],
    ["ubuntu-2?.04", ["ubuntu-22.04"], ["ubuntu-2.04", "ubuntu-22x04"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "x"]],
    ["[!a-c]x", ["dx"], ["ax"]],
    ["a.b", ["a.b"], ["axb"]],
    ["[.]x", [".x"], ["ax"]],
  ];
  for (const [pattern, yes, no] of cases) {
    for (const name of yes) assert.ok(globRegExp(pattern)?.test(name), `${pattern} ${name}`);
    for (const name of no) assert.ok(!globRegExp(pattern)?.test(name), `${pattern} ${name}`);
  }
});

Deno.test("globRegExp() is undefined for an invalid pattern", () => {
  for (const text of ["", "a/b", "[", "[]", "[z-a]", "(a)", "a\n", "a b", "{a,b}", "\\*"]) {
    assert.equal(globRegExp(text), undefined, text);
  }
});
