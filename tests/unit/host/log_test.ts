import assert from "node:assert/strict";
import { terminalLog } from "../../../src/host/log.ts";

Deno.test("terminalLog() writes as much as its verbosity says, and only to stderr", () => {
  const expected = { normal: "iw", verbose: "iws", debug: "iwsd" } as const;
  for (const [verbosity, letters] of Object.entries(expected)) {
    const written = { out: "", err: "" };
    const log = terminalLog({
      out: (text) => void (written.out += text),
      err: (text) => void (written.err += text),
      is: () => false,
      ask: () => Promise.resolve(null),
    }, false);
    log.verbosity = verbosity as keyof typeof expected;
    log.info("i");
    log.warn("w");
    log.step("s");
    log.debug("d");
    assert.equal(written.err.replaceAll(/[\n+ ]/g, ""), letters);
    assert.equal(written.out, "");
  }
});

Deno.test("terminalLog() colours warnings only where it may", () => {
  for (const color of [true, false]) {
    let written = "";
    const err = (text: string) => void (written += text);
    const ask = () => Promise.resolve(null);
    terminalLog({ out: err, err, ask, is: () => true }, color).warn("w");
    assert.equal(written.includes("\x1b["), color);
  }
});

Deno.test("terminalLog() lets no message control a terminal, and changes none for a file", () => {
  for (const isTerminal of [true, false]) {
    let written = "";
    const err = (text: string) => void (written += text);
    const ask = () => Promise.resolve(null);
    const log = terminalLog({ out: err, err, ask, is: () => isTerminal }, false);
    log.warn("x\x1b]0;y\x07");
    log.info("x\x9b2J");
    assert.equal(written.includes("\x1b") || written.includes("\x9b"), !isTerminal);
  }
});
