import assert from "node:assert/strict";
import { printable } from "../../../src/text/printable.ts";

Deno.test("printable() leaves nothing that controls a terminal", () => {
  assert.equal(printable("a\tb\nünï → 7"), "a\tb\nünï → 7");
  for (const text of ["\x1b]0;x\x07", "\x9b2J", "\r", "\x7f", "\0", "\u202e"]) {
    assert.match(printable(text), /^\ufffd/, JSON.stringify(text));
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(printable(text), /[\x00-\x1f\x7f-\x9f]/);
  }
});
