/** The forms in which a list of chroots is printed. */

import { formatAge } from "../../text/age.ts";
import { formatSize } from "../../text/size.ts";
import { formatTable } from "../../text/table.ts";
import type { ChrootEntry } from "./list.ts";
import { printableJson } from "../../text/json.ts";

const HEAD = ["NAME", "STATE", "GENERATION", "AGE", "ORIGIN", "SIZE", "PATH"] as const;

/**
 * Returns a table for people, with a line of headings; the column REASON is there if a chroot is
 * invalid.
 *
 * @param now In milliseconds since 1970.
 */
export function asTable(entries: readonly ChrootEntry[], now: number): string {
  const rows = entries.map((entry) => rowOf(entry, now));
  if (entries.every(({ reason }) => reason === null)) return formatTable(HEAD, rows);
  const reasons = entries.map(({ reason }) => reason ?? "");
  return formatTable([...HEAD, "REASON"], rows.map((row, index) => [...row, reasons[index]!]));
}

function rowOf(entry: ChrootEntry, now: number): readonly string[] {
  const { name, state, generation, origin, size, made, path } = entry;
  return [
    name,
    state,
    `${generation ?? "-"}`,
    made === null ? "-" : formatAge(Math.max(0, Math.round((now - Date.parse(made)) / 1000))),
    origin ?? "-",
    size === null ? "-" : formatSize(size),
    path,
  ];
}

/** Returns lines for scripts: `NAME PATH`. */
export function asLines(entries: readonly ChrootEntry[]): string {
  return entries.map(({ name, path }) => `${name} ${path}\n`).join("");
}

/** Returns a JSON array for programs. */
export function asJson(entries: readonly ChrootEntry[]): string {
  return printableJson(entries);
}
