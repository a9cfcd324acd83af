import assert from "node:assert/strict";
import { globRegExp } from "../../../src/text/glob.ts";
import { asSize } from "../../../src/text/size.ts";
import { columns } from "../../../src/text/table.ts";

Deno.test("globRegExp() matches names as a shell does, whole ones", () => {
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

Deno.test("globRegExp() is undefined for what is no pattern", () => {
  for (const text of ["", "a/b", "[", "[]", "[z-a]", "(a)", "a\n", "a b", "{a,b}", "\\*"]) {
    assert.equal(globRegExp(text), undefined, text);
  }
});

Deno.test("asSize() is short, and never 0 for something", () => {
  assert.equal(asSize(1), "1 KiB");
  assert.equal(asSize(300 * 1024 ** 2), "300 MiB");
  assert.equal(asSize(1.5 * 1024 ** 3), "1.5 GiB");
});

Deno.test("columns() are as wide as what is in them, with no blanks at the end", () => {
  assert.equal(columns(["ID", "X"], [["1234", "a"], ["1", ""]]), "ID    X\n1234  a\n1\n");
});
