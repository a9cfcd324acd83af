import assert from "node:assert/strict";
import type { Terminal } from "../../../../src/host/host.ts";
import { screenOn } from "../../../../src/pipeline/show/screen.ts";

function recording(): { readonly terminal: Terminal; readonly text: () => string } {
  let text = "";
  const out = (part: string) => void (text += part);
  return { terminal: { out, err: () => assert.fail() } as unknown as Terminal, text: () => text };
}

Deno.test("without a terminal there are lines alone", () => {
  const { terminal, text } = recording();
  const screen = screenOn(terminal, "stdout", false);
  screen.status("1 running\n");
  screen.line("a");
  screen.status("");
  screen.line("b");
  assert.equal(text(), "a\nb\n");
});

Deno.test("on a terminal, lines go above the status, which is drawn again", () => {
  const { terminal, text } = recording();
  const screen = screenOn(terminal, "stdout", true);
  const [draw, erase] = ["\x1b[?7lone\ntwo\n\x1b[?7h", "\x1b[2A\r\x1b[J"];
  screen.status("one\ntwo\n");
  screen.line("a");
  screen.status("one\ntwo\n");
  screen.status("");
  screen.line("b");
  assert.equal(text(), `${draw}${erase}a\n${draw}${erase}b\n`);
});

Deno.test("a terminal that is closed ends nothing", () => {
  const out = () => {
    throw new Error("Input/output error");
  };
  const screen = screenOn({ out, err: out } as unknown as Terminal, "stdout", true);
  screen.line("a");
  screen.status("one\n");
});
