import { parse } from "@std/toml/parse";
import assert from "node:assert/strict";
import { tomlValue } from "../../../src/text/toml.ts";

Deno.test("tomlValue() writes values that a parser of TOML reads as they were", () => {
  const values = [
    ...["", 'a"b\\c\n]x = 1\u007f\u0001ü', 7, -1, true, [], ["a", "b c"], {}],
    { "/host dir": "/chroot", plain_key: [1, 2] },
    [{ name: "postgres:16", variables: { A: "b" } }, { name: "redis" }],
  ];
  for (const value of values) {
    const text = `value = ${tomlValue(value)}\n`;
    assert.equal(text.trim().includes("\n"), false);
    assert.equal(JSON.stringify(parse(text)), JSON.stringify({ value }));
  }
});
