/** How a list of chroots is shown. */

import { asAge } from "../../text/age.ts";
import { asSize } from "../../text/size.ts";
import { columns } from "../../text/table.ts";
import type { ChrootEntry } from "./list.ts";

const HEAD = ["NAME", "STATE", "GENERATION", "AGE", "ORIGIN", "SIZE", "PATH"] as const;

/**
 * For people: columns.
 *
 * @param entries The chroots.
 * @param now In milliseconds since 1970.
 * @returns A line for each, under a line of headings.
 */
export function asTable(entries: readonly ChrootEntry[], now: number): string {
  return columns(HEAD, entries.map((entry) => rowOf(entry, now)));
}

function rowOf(entry: ChrootEntry, now: number): readonly string[] {
  const { name, state, generation, origin, size, made, path } = entry;
  return [
    name,
    state,
    `${generation ?? "-"}`,
    made === null ? "-" : asAge(Math.max(0, Math.round((now - Date.parse(made)) / 1000))),
    origin ?? "-",
    size === null ? "-" : asSize(size),
    path,
  ];
}

/**
 * For scripts: the name, a space, the path.
 *
 * @param entries The chroots.
 * @returns A line for each.
 */
export function asLines(entries: readonly ChrootEntry[]): string {
  return entries.map(({ name, path }) => `${name} ${path}\n`).join("");
}

/**
 * For programs.
 *
 * @param entries The chroots.
 * @returns A JSON array.
 */
export function asJson(entries: readonly ChrootEntry[]): string {
  return JSON.stringify(entries, null, 2) + "\n";
}
