/** Holds docs/configuration.md to the table of settings. */

import assert from "node:assert/strict";
import { type Field, FIELDS } from "../../../src/config/schema.ts";

const DOCUMENT = new URL("../../../docs/configuration.md", import.meta.url);

const WHERE = { both: "both", config: "`config.toml`", definition: "definition" } as const;

function row({ key, where, standard, allowed, help }: Field): string {
  const value = standard === undefined ? "none" : `\`${JSON.stringify(standard)}\``;
  return `| \`${key}\` | ${WHERE[where]} | ${help} | ${allowed} | ${value} |`;
}

Deno.test("docs/configuration.md has the table of settings", async () => {
  const document = await Deno.readTextFile(DOCUMENT);
  const table = [
    "| key | where | what | allowed | default |",
    "| --- | --- | --- | --- | --- |",
    ...FIELDS.map(row),
  ].join("\n");
  // deno fmt pads the cells of a table.
  const found = document.match(/<!-- keys -->\n\n(.*?)\n\n<!-- \/keys -->/s)?.[1]
    ?.replace(/ +/g, " ").replace(/-{4,}/g, "---");
  assert.equal(found, table, `write this table into docs/configuration.md:\n${table}\n`);
});
