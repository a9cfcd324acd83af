/** JSON for people and programs. */

import { CONTROLS } from "./printable.ts";

/** Returns a value as JSON in which what controls a terminal is escaped. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  ) + "\n";
}
