import assert from "node:assert/strict";
import { jobLines } from "../../../../src/pipeline/show/job_lines.ts";

function linesOf(
  chunks: (string | Uint8Array)[],
  { masked = [], colored = false }: { masked?: string[]; colored?: boolean } = {},
): string[] {
  const shown: string[] = [];
  const lines = jobLines({ masked, colored, onLine: (line) => shown.push(line) });
  for (const chunk of chunks) lines.write(chunk);
  lines.end();
  return shown;
}

Deno.test("lines are put together from pieces, and the last one needs no end", () => {
  assert.deepEqual(linesOf(["on", "e\ntw", "o\n\nthree"]), ["one", "two", "", "three"]);
  assert.deepEqual(linesOf([]), []);
  const bytes = new TextEncoder().encode("grün\n");
  assert.deepEqual(linesOf([bytes.subarray(0, 3), bytes.subarray(3)]), ["grün"]);
});

Deno.test("the last state of a progress bar is shown", () => {
  assert.deepEqual(linesOf(["10 %\r50 %\r100 %\r\nnext\r\n"]), ["100 %", "next"]);
});

Deno.test("masked values are hidden, also in pieces, in lines, and in one another", () => {
  const masked = ["secret-word", "secret-word-longer", "short", "first line\nsecond line"];
  assert.deepEqual(linesOf(["a secret-", "word-longer, secret-word short\n"], { masked }), [
    "a [MASKED], [MASKED] short",
  ]);
  assert.deepEqual(linesOf(["first line\nsecond line\n"], { masked }), ["[MASKED]", "[MASKED]"]);
});

Deno.test("a masked value with colours in it is hidden", () => {
  const options = { masked: ["secret-word"], colored: false };
  assert.deepEqual(linesOf(["secret\x1b[31m-word\n"], options), ["[MASKED]"]);
});

Deno.test("output cannot control a terminal, and keeps its colours where wanted", () => {
  const text = "\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07\x1b[1A\x07\ttab\x1bc\u202e\n";
  assert.deepEqual(linesOf([text]), ["red\ttabc"]);
  assert.deepEqual(linesOf([text], { colored: true }), ["\x1b[31mred\x1b[0m\ttabc\x1b[0m"]);
  const reset = "\x1b[32;1mgreen\x1b[0;m";
  assert.deepEqual(linesOf([reset], { colored: true }), [reset]);
});

Deno.test("output without end is broken into lines, and masked values are not", () => {
  const masked = ["secret-word"];
  const text = "x".repeat(65_530) + "secret-word";
  const pieces = [text.slice(0, 65_537), text.slice(65_537), ...Array(50).fill("y".repeat(10_000))];
  const lines = linesOf(pieces, { masked });
  assert.ok(lines.length > 3 && lines.every((line) => line.length < 90_000));
  assert.equal(lines.join(""), `${"x".repeat(65_530)}[MASKED]${"y".repeat(500_000)}`);
});
