import assert from "node:assert/strict";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { helpText } from "../../../src/cli/help.ts";

Deno.test("helpText() for the program", async (t) => {
  await t.assertSnapshot(helpText(undefined));
});

for (const command of COMMANDS) {
  Deno.test(`helpText() for ${command.name}`, async (t) => {
    await t.assertSnapshot(helpText(command));
  });
}

Deno.test("helpText() fits into 100 columns and has no trailing blanks", () => {
  for (const command of [undefined, ...COMMANDS]) {
    for (const line of helpText(command).split("\n")) {
      assert.ok(line.length <= 100, `${line.length} columns: ${line}`);
      assert.equal(line, line.trimEnd());
    }
  }
});

Deno.test("helpText() names every command, option and positional", () => {
  for (const command of COMMANDS) {
    assert.ok(helpText(undefined).includes(`  ${command.name} `));
    const text = helpText(command);
    for (const { name } of command.options) assert.ok(text.includes(`--${name}`));
    for (const { name } of command.positionals) assert.ok(text.includes(name.toUpperCase()));
  }
});
