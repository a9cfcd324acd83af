import assert from "node:assert/strict";
import { pathGlobRegExp } from "../../../src/text/path_glob.ts";

/** Each pattern, what it matches, and what it does not: as doublestar v4 says. */
const PATTERNS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["*", ["ruby", "ruby:3.3"], ["library/ruby", ""].filter((text) => text !== "")],
  ["ruby:*", ["ruby:3"], ["ruby", "my/ruby:3"]],
  ["reg:5000/*:*", ["reg:5000/a:1"], ["reg:5000/a", "reg:5000/g/a:1"]],
  ["**", ["ruby", "a/b/c"], []],
  ["**/*", ["ruby", "a/b/c"], []],
  ["reg/**", ["reg", "reg/a", "reg/a/b:1"], ["regx", "regx/a"]],
  ["reg/**/img", ["reg/img", "reg/a/img", "reg/a/b/img"], ["reg/aimg", "reg"]],
  ["**/img:1", ["img:1", "a/img:1", "a/b/img:1"], ["aimg:1", "a/img:1/b"]],
  ["reg/a**", ["reg/a", "reg/abc:1"], ["reg/ab/c:1"]],
  ["**ruby", ["ruby", "myruby"], ["a/ruby"]],
  ["r?by", ["ruby"], ["rby", "r/by"]],
  ["r[a-z]by", ["ruby"], ["r1by", "r/by"]],
  ["r[!u]by", ["raby"], ["ruby", "r/by"]],
  ["r[^u]by", ["raby"], ["ruby", "r/by"]],
  ["{ruby,node}:*", ["ruby:3", "node:22"], ["python:3", "{ruby,node}:3"]],
  ["{a,b}/{c,d}", ["a/c", "b/d"], ["a/b", "c/d"]],
  ["{reg/**,x}", ["reg/a/b", "x"], ["y"]],
  ["a{,:1}", ["a", "a:1"], ["a:2"]],
  ["a.b", ["a.b"], ["axb"]],
  ["\\[\\:\\:1\\]:5000/x", ["[::1]:5000/x"], ["1:5000/x"]],
  ["\\*", ["*"], ["a"]],
  ["[\\]]", ["]"], ["\\"]],
];

for (const [pattern, matches, others] of PATTERNS) {
  Deno.test(`pathGlobRegExp() of ${pattern}`, () => {
    const expression = pathGlobRegExp(pattern);
    assert.ok(expression !== undefined);
    for (const text of matches) assert.ok(expression.test(text), text);
    for (const text of others) assert.ok(!expression.test(text), text);
  });
}

Deno.test("pathGlobRegExp() refuses what is no pattern", () => {
  const many = "{a,b}".repeat(9);
  for (
    const text of [
      "",
      "a b",
      "a\n",
      "[",
      "[]",
      "[z-a]",
      "{a",
      "a}",
      "{a,{b,c}}",
      "\\",
      "a,b",
      "$x",
      many,
    ]
  ) {
    assert.equal(pathGlobRegExp(text), undefined, text);
  }
});
