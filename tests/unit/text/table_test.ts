import assert from "node:assert/strict";
import { formatTable } from "../../../src/text/table.ts";

Deno.test("formatTable() makes columns as wide as their longest cell, without blanks at the ends of lines", () => {
  assert.equal(formatTable(["ID", "X"], [["1234", "a"], ["1", ""]]), "ID    X\n1234  a\n1\n");
});

Deno.test("formatTable() has as many rows as there are", () => {
  const rows = Array.from({ length: 200_000 }, () => ["1"]);
  assert.equal(formatTable(["ID"], rows).length, 3 + 2 * rows.length);
});
