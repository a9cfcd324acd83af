import assert from "node:assert/strict";
import { terminalLog } from "../../../src/host/log.ts";

Deno.test("terminalLog() writes as much as its verbosity says", () => {
  const expected = { normal: "iw", verbose: "iws", debug: "iwsd" } as const;
  for (const [verbosity, letters] of Object.entries(expected)) {
    let written = "";
    const log = terminalLog({ err: (text) => void (written += text), is: () => false }, false);
    log.verbosity = verbosity as keyof typeof expected;
    log.info("i");
    log.warn("w");
    log.step("s");
    log.debug("d");
    assert.equal(written.replaceAll(/[\n+ ]/g, ""), letters);
  }
});

Deno.test("terminalLog() colours warnings only where it may", () => {
  for (const color of [true, false]) {
    let written = "";
    const err = (text: string) => void (written += text);
    terminalLog({ err, is: () => true }, color).warn("w");
    assert.equal(written.includes("\x1b["), color);
  }
});

Deno.test("terminalLog() lets no message control a terminal, and changes none for a file", () => {
  for (const isTerminal of [true, false]) {
    let written = "";
    const err = (text: string) => void (written += text);
    const log = terminalLog({ err, is: () => isTerminal }, false);
    log.warn("x\x1b]0;y\x07");
    log.info("x\x9b2J");
    assert.equal(written.includes("\x1b") || written.includes("\x9b"), !isTerminal);
  }
});
