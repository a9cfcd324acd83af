import assert from "node:assert/strict";
import { lastOutput, lastWords, outputSince } from "../../../../src/machines/services/output.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const { host } = recordingHost();

/** Runs a test with the two files of a service's output. */
function withOutput(
  files: readonly (string | Uint8Array)[],
  act: (paths: { own: string }) => Promise<void>,
): Promise<void> {
  return inFolder(async (own) => {
    for (const [index, content] of files.entries()) {
      await host.files.write(`${own}/log.${index}`, content);
    }
    await act({ own });
  });
}

Deno.test("outputSince() gives whole lines from a position on, and the rest at the end", () =>
  withOutput(["0\none\ntwo\nthr", ""], async (paths) => {
    const first = await outputSince(host, paths, 0, false);
    assert.deepEqual(first, { lines: ["one", "two"], isDropped: false, position: 8 });
    const again = await outputSince(host, paths, first.position, false);
    assert.deepEqual(again, { lines: [], isDropped: false, position: 8 });
    await host.files.write(`${paths.own}/log.1`, "11\nee\nfour");
    assert.deepEqual((await outputSince(host, paths, 8, false)).lines, ["three"]);
    const rest = await outputSince(host, paths, 8, true);
    assert.deepEqual(rest, { lines: ["three", "four"], isDropped: false, position: 18 });
  }));

Deno.test("outputSince() tells that output was overwritten before it was read", () =>
  withOutput(["90\nold\n", "50\nx\ny\n"], async (paths) => {
    const { lines, isDropped, position } = await outputSince(host, paths, 8, false);
    assert.deepEqual([lines, isDropped, position], [["old"], true, 94]);
    await host.files.write(`${paths.own}/log.1`, "94\nnew\n");
    const next = await outputSince(host, paths, position, false);
    assert.deepEqual(next, { lines: ["new"], isDropped: false, position: 98 });
  }));

Deno.test("outputSince() shows a long line before it ends", () =>
  withOutput([`0\n${"x".repeat(20_000)}`], async (paths) => {
    const { lines, position } = await outputSince(host, paths, 0, false);
    assert.deepEqual([lines.length, position], [1, 20_000]);
  }));

Deno.test("outputSince() shows a text that is cut between the files, and nothing that controls a terminal", () => {
  const bytes = new TextEncoder().encode("0\n\x1b[1;32mgrün\x1b[0m\x07\r\n\x1b]0;title\x07\n");
  const cut = bytes.indexOf(0xc3) + 1;
  const second = new Uint8Array([...new TextEncoder().encode(`${cut - 2}\n`), ...bytes.slice(cut)]);
  return withOutput([bytes.slice(0, cut), second], async (paths) => {
    const { lines } = await outputSince(host, paths, 0, false);
    assert.deepEqual(lines, ["grün\ufffd", "\ufffd]0;title\ufffd"]);
  });
});

/** What a service could write into its files itself. */
const HOSTILE: readonly (readonly [string | Uint8Array, string | Uint8Array])[] = [
  ["", ""],
  ["no number\nx\n", "-1\nx\n"],
  ["1e9\nx\n", "9999999999999999\nx\n"],
  [new Uint8Array(3_000_000), new Uint8Array(3_000_000).fill(0x31)],
];

for (const [index, files] of HOSTILE.entries()) {
  Deno.test(`outputSince() of files that hold no output: ${index + 1}`, () =>
    withOutput(files, async (paths) => {
      const nothing = { lines: [], isDropped: false, position: 3 };
      assert.deepEqual(await outputSince(host, paths, 3, true), nothing);
      assert.deepEqual(await lastOutput(host, paths, 5), []);
      assert.equal(await lastWords(host, paths), null);
    }));
}

Deno.test("outputSince() reads a bounded part of larger files, and ends whatever numbers they have", () => {
  const large = "x\n".repeat(1_000_000);
  return withOutput([`7\n${large}`, `999999999999999\n${large}`], async (paths) => {
    const { lines, isDropped, position } = await outputSince(host, paths, 0, false);
    assert.ok(lines.length < 140_000 && isDropped && position < Number.MAX_SAFE_INTEGER);
    assert.deepEqual((await outputSince(host, paths, position, false)).lines, []);
  });
});

Deno.test("lastOutput() has the lines of both files in their order, lastWords() the one that tells why", () =>
  withOutput(["16\nERROR: full\nbye\n\n", "0\none\ntwo\nbad error\n"], async (paths) => {
    assert.deepEqual(await lastOutput(host, paths, 3), ["bad error", "ERROR: full", "bye"]);
    assert.equal(await lastWords(host, paths), "ERROR: full");
  }));

Deno.test("lastOutput() joins both files, also within a line, and leaves out empty lines", () =>
  withOutput(["10\nree\n\n  \nfour\n", "0\none\ntwo\nth"], async (paths) => {
    assert.deepEqual(await lastOutput(host, paths, 9), ["one", "two", "three", "four"]);
    assert.deepEqual(await lastOutput(host, paths, 2), ["three", "four"]);
  }));

Deno.test("lastOutput() has no character that controls a terminal, or begins a section of GitLab's log", () =>
  withOutput(["0\na\x1b[0Ksection_start:1:x\rb\n\u202eabc\n\x00\x9b\n"], async (paths) => {
    const lines = await lastOutput(host, paths, 9);
    assert.deepEqual(lines, ["a\ufffd[0Ksection_start:1:x\ufffdb", "\ufffdabc", "\ufffd\ufffd"]);
  }));
