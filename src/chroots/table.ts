/** How a list of chroots is shown. */

import { asSize } from "../size.ts";
import { columns } from "../table.ts";
import type { ChrootEntry } from "./list.ts";

const HEAD = ["NAME", "STATE", "SUITE", "SIZE", "PATH"] as const;

/**
 * For people: columns.
 *
 * @param entries The chroots.
 * @returns A line for each, under a line of headings.
 */
export function asTable(entries: readonly ChrootEntry[]): string {
  return columns(HEAD, entries.map(rowOf));
}

function rowOf({ name, state, suite, size, path }: ChrootEntry): readonly string[] {
  return [name, state, suite ?? "-", size === null ? "-" : asSize(size), path];
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
