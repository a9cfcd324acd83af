/** The forms in which a list of pulled images is printed. */

import { formatAge } from "../../text/age.ts";
import { formatSize } from "../../text/size.ts";
import { formatTable } from "../../text/table.ts";
import type { Host } from "../../host/host.ts";
import { listImages, type StoredImage } from "./record.ts";
import { usersOf } from "./remove.ts";
import { printableJson } from "../../text/json.ts";

/** A pulled image, as lists show it. */
export interface ImageEntry
  extends Pick<StoredImage, "digest" | "names" | "platform" | "size" | "pulled" | "used"> {
  /** The number of its layers; 0 where it is a whole tree. */
  readonly layers: number;
  /** The machines that use it. */
  readonly machines: readonly string[];
}

/** Returns all pulled images, the most recently used one first. */
export async function describeImages(host: Host, store: string): Promise<ImageEntry[]> {
  const entries: ImageEntry[] = [];
  for (const image of (await listImages(host, store)).reverse()) {
    const { id, digest, names, platform, size, pulled, used, lower: { layers } } = image;
    const machines = await usersOf(host, store, id);
    const count = layers[0] === "." ? 0 : layers.length;
    entries.push({ digest, names, platform, size, pulled, used, layers: count, machines });
  }
  return entries;
}

const HEAD = ["NAME", "DIGEST", "PLATFORM", "SIZE", "PULLED", "USED", "MACHINES"] as const;

/** Digits of a digest that people need to tell images apart. */
const SHORT = 12;

/**
 * Returns a table for people, with a line of headings.
 *
 * @param now In milliseconds since 1970.
 */
export function asTable(entries: readonly ImageEntry[], now: number): string {
  const age = (time: string) => formatAge(Math.max(0, Math.round((now - Date.parse(time)) / 1000)));
  const rows = entries.map(({ names, digest, platform, size, pulled, used, machines }) => [
    names.join(" ") || "-",
    shortDigest(digest),
    platform,
    formatSize(size),
    age(pulled),
    age(used),
    `${machines.length}`,
  ]);
  return formatTable(HEAD, rows);
}

function shortDigest(digest: string): string {
  return digest.slice("sha256:".length).slice(0, SHORT);
}

/** Returns lines for scripts: `DIGEST NAME …`. */
export function asLines(entries: readonly ImageEntry[]): string {
  return entries.map(({ digest, names }) => `${[digest, ...names].join(" ")}\n`).join("");
}

/** Returns a JSON array for programs. */
export function asJson(entries: readonly ImageEntry[]): string {
  return printableJson(entries);
}
