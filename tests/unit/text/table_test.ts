import assert from "node:assert/strict";
import { columns } from "../../../src/text/table.ts";

Deno.test("columns() are as wide as their longest cell, without blanks at the ends of lines", () => {
  assert.equal(columns(["ID", "X"], [["1234", "a"], ["1", ""]]), "ID    X\n1234  a\n1\n");
});
