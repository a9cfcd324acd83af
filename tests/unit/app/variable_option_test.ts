import assert from "node:assert/strict";
import { parseVariable, parseVariables } from "../../../src/app/variable_option.ts";

Deno.test("a variable has a name and any value", () => {
  assert.deepEqual(parseVariable("A_1=x=y z"), ["A_1", "x=y z"]);
  assert.deepEqual(parseVariable("A="), ["A", ""]);
  assert.deepEqual(parseVariable("A=two\nlines"), ["A", "two\nlines"]);
  for (const word of ["A", "=x", "1A=x", "A B=x", " A=x"]) {
    assert.throws(() => parseVariable(word), { kind: "usage", message: /NAME=VALUE/ });
  }
});

Deno.test("a variable that no program can get is refused", () => {
  assert.throws(() => parseVariable(`A=${"x".repeat(131_072)}`), { message: /variable A: Linux/ });
});

Deno.test("a file has a variable per line, comments and empty lines", () => {
  const text = "# of the team\nA=1\n\n  # more\r\nB='quoted' \r\n";
  assert.deepEqual(parseVariables(text, "vars"), { A: "1", B: "'quoted' " });
});

Deno.test("a wrong line is named by its number, without what it contains", () => {
  assert.throws(() => parseVariables("A=1\nexport B=hush", "vars"), {
    message: "Cannot read variables of vars: line 2 is not of the form NAME=VALUE",
  });
});
