import assert from "node:assert/strict";
import { quote, quoteAll, quoteCommand } from "../../../src/text/quote.ts";

Deno.test("quote() leaves plain words as they are, and quotes all others", () => {
  assert.equal(quoteAll(["a/b=c", "d e", "it's", ""]), `a/b=c 'd e' 'it'\\''s' ''`);
  assert.equal(quote("$HOME"), "'$HOME'");
});

Deno.test("quoteAll() gives what a shell reads back unchanged", async () => {
  const words = ["\n", "\\", "`id`", "$(id)", '"', "'", "*", "~", "-", "ü", " a  b ", "!x"];
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `printf '%s\\0' ${quoteAll(words)}`],
  }).output();
  assert.deepEqual(new TextDecoder().decode(stdout).split("\0").slice(0, -1), words);
});

Deno.test("quoteCommand() quotes the first word even where it is plain", async () => {
  assert.equal(quoteCommand(["A=b", "c", "d e"]), "'A=b' c 'd e'");
  const args = ["-c", quoteCommand(["if", "x"])];
  const { code } = await new Deno.Command("sh", { args, stderr: "null" }).output();
  assert.equal(code, 127, "a command that does not exist, no keyword");
});
