/** How a list of chroots is shown. */

import type { ChrootEntry } from "./list.ts";

const HEAD = ["NAME", "STATE", "SUITE", "SIZE", "PATH"] as const;

/**
 * For people: columns.
 *
 * @param entries The chroots.
 * @returns A line for each, under a line of headings.
 */
export function asTable(entries: readonly ChrootEntry[]): string {
  const rows = [HEAD, ...entries.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd();
  return rows.map((row) => line(row) + "\n").join("");
}

function rowOf({ name, state, suite, size, path }: ChrootEntry): readonly string[] {
  return [name, state, suite ?? "-", size === null ? "-" : asSize(size), path];
}

function asSize(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2;
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
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
