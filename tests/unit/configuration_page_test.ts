/** Compares the reference of the configuration with the table of settings. */

import assert from "node:assert/strict";
import { SETTINGS } from "../../src/config/schema.ts";
import type { Setting } from "../../src/config/setting.ts";

const DOCUMENT = new URL("../../docs/reference/configuration.md", import.meta.url);

/** A terminal and a review show this much of a line. */
const WIDTH = 120;

/** A longer default has a paragraph of its own in the document. */
const LONGEST_DEFAULT = 30;

function defaultOf({ default: value }: Setting): string {
  if (value === undefined) return "none";
  const text = JSON.stringify(value);
  return text.length > LONGEST_DEFAULT ? "see below" : `\`${text}\``;
}

/** The settings of config.toml that have a table of their own. */
function isOfServices({ key, where }: Setting): boolean {
  return where === "config" && /service|^limits_shared$/.test(key);
}

/** Only the document has the meanings: each call of the program would load them. */
function settingsTable(isRow: (setting: Setting) => boolean): string {
  const rows = SETTINGS.filter(isRow)
    .map((field) => `| \`${field.key}\` | ${defaultOf(field)} | MEANING |`);
  return ["| key | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** A meaning has two words at least, and no period at its end. */
function withoutMeanings(table: string): string {
  return table.replace(/^(\| `[^|]+\| [^|]+) \| [^|]+ [^|]*[^|. ] \|$/gm, "$1 | MEANING |");
}

function valuesTable(): string {
  const rows = SETTINGS.map(({ key, allowed }) => `| \`${key}\` | ${allowed} |`);
  return ["| key | allowed |", "| --- | --- |", ...rows].join("\n");
}

/** The tables of the document, by the name in the comment before each. */
const TABLES: Readonly<Record<string, string>> = {
  both: settingsTable(({ where }) => where === "both"),
  config: settingsTable((field) => field.where === "config" && !isOfServices(field)),
  services: settingsTable(isOfServices),
  definition: settingsTable(({ where }) => where === "definition"),
  allowed: valuesTable(),
};

for (const [name, table] of Object.entries(TABLES)) {
  Deno.test(`configuration.md has the table "${name}" of the settings`, async () => {
    const document = await Deno.readTextFile(DOCUMENT);
    // deno fmt pads the cells of a table.
    const found = document.match(new RegExp(`<!-- ${name} -->\n\n(.*?)\n\n<!-- end -->`, "s"))?.[1]
      ?.replace(/ +/g, " ").replace(/-{4,}/g, "---");
    const shape = name === "allowed" ? found : withoutMeanings(found ?? "");
    assert.equal(shape, table, `write this table into configuration.md:\n${table}\n`);
  });
}

Deno.test("configuration.md has each default that is too long for its table", async () => {
  const document = await Deno.readTextFile(DOCUMENT);
  for (const field of SETTINGS.filter((field) => defaultOf(field) === "see below")) {
    assert.ok(Array.isArray(field.default));
    for (const value of field.default) assert.ok(document.includes(`\`${value}\``), value);
  }
});

Deno.test(`configuration.md has no line of more than ${WIDTH} columns`, async () => {
  const lines = (await Deno.readTextFile(DOCUMENT)).split("\n");
  assert.deepEqual(lines.filter((line) => line.length > WIDTH), []);
});
