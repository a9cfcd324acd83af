import assert from "node:assert/strict";
import { printableJson } from "../../../src/text/json.ts";

Deno.test("printableJson() is JSON of the same value, and controls no terminal either", () => {
  const value = { project: "a\x9b2J\x7f\u202eb\x1b\tü" };
  const text = printableJson(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.equal(text, '{\n  "project": "a\\u009b2J\\u007f\\u202eb\\u001b\\tü"\n}\n');
});
