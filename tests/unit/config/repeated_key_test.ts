import assert from "node:assert/strict";
import { repeatedKey } from "../../../src/config/repeated_key.ts";

const REPEATED: readonly (readonly [string, string])[] = [
  ["a = 1\na = 2", "a"],
  ['a = 1\n"a" = 2', "a"],
  ["a.b = 1\n'a' . b = 2", "a.b"],
  ["[t]\na = 1\n# a = 2\na = 3", "t.a"],
  ["[t]\n[u]\n[t]", "t"],
  ["t.a = 1\n[t]\nb = 2", "t"],
  ["t = { a = 1 }\nt.b = 2", "t.b"],
  ["t = { a = 1, a = 2 }", "t.a"],
  ["t = 1\nt = { a = 1 }", "t.a"],
  ["a = [\n  1, # one\n  2,\n]\na = []", "a"],
  ["[[t]]\na = 1\na = 2", "t.[0].a"],
  ["[[t]]\n[t.v]\na = 1\n[[t]]\n[t.v]\na = 1\na = 2", "t.[1].v.a"],
  ["[[t]]\n[t.v]\n[t.v]", "t.[0].v"],
];

for (const [text, key] of REPEATED) {
  Deno.test(`repeatedKey() finds ${key} in ${JSON.stringify(text)}`, () => {
    assert.equal(repeatedKey(text), key);
  });
}

const VALID: readonly string[] = [
  "",
  "# a = 1\n# a = 1",
  "a = 1\nb = 1",
  "a.b = 1\na.c = 2",
  "[t]\na = 1\n[u]\na = 1",
  "[t.u]\na = 1\n[t]\na = 1",
  "[[t]]\na = 1\n[[t]]\na = 1",
  "[[t]]\n[t.v]\na = 1\n[[t]]\n[t.v]\na = 1",
  "[[t]]\n[[t.u]]\n[t.u.v]\na = 1\n[[t.u]]\n[t.u.v]\na = 1\n[[t]]\n[[t.u]]\n[t.u.v]\na = 1",
  "a = [{ b = 1 }, { b = 2 }]",
  "t = { a = { x = 1 }, b = { x = 1 } }",
  'a = [\n  "x = 1",\n  "x = 1",\n]',
  'a = """\nx = 1\nx = 1\n[t]\n[t]"""\nx = 1',
  'a = """\\"""x = 1\n""""\nx = 1',
  "a = '''\nx = 1\nx = 1'''\nx = 1",
  'a = "\\"x = 1"\nx = 1',
  "a = 2026-01-01T00:00:00Z\nb = 1.5e3\nc = true",
  "a = 1\r\nb = 2\r\n",
];

for (const text of VALID) {
  Deno.test(`repeatedKey() finds none in ${JSON.stringify(text)}`, () => {
    assert.equal(repeatedKey(text), undefined);
  });
}
