import assert from "node:assert/strict";
import { formatTable } from "../../../src/text/table.ts";

Deno.test("formatTable() makes columns as wide as their longest cell, without blanks at the ends of lines", () => {
  assert.equal(formatTable(["ID", "X"], [["1234", "a"], ["1", ""]]), "ID    X\n1234  a\n1\n");
});
