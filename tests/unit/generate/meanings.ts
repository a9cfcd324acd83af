/** The meanings of settings, which only docs/reference/configuration.md has: a call of the program would load them. */

import { CHECKOUT } from "../source.ts";

/** The path of the document. */
export const CONFIGURATION_PAGE = "docs/reference/configuration.md";

/** Returns the meaning of each setting by its key, in Markdown. */
export function settingMeanings(): ReadonlyMap<string, string> {
  const page = Deno.readTextFileSync(CHECKOUT + CONFIGURATION_PAGE);
  const [tables = ""] = page.split("<!-- allowed -->");
  const rows = tables.matchAll(/^\| `([a-z_.]+)` +\| [^|]+ \| ([^|]+?) +\|$/gm);
  return new Map([...rows].map(([, key, meaning]) => [key!, meaning!]));
}
