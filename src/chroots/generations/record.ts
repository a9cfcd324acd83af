/** Generations: the builds of a chroot, one of which is current. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { type ImageConfig, parseImageConfig } from "./oci_config.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { chrootPlaces } from "./places.ts";

/** What is known of a build. */
export interface GenerationRecord {
  readonly version: 1;
  /** What it was made from: a suite, or a source as a definition names it. */
  readonly origin: string;
  /** Which state of its origin that was: an image's digest, another chroot's build. */
  readonly pin: string | null;
  /** What of its definition and playbook made it, as a hash. */
  readonly recipe: string | null;
  /** How programs run in it, where an image says so. */
  readonly image: ImageConfig | null;
  /** Bytes on disk when it was made; null where they could not be counted. */
  readonly size: number | null;
  /** When it was made or brought up to date, as ISO 8601. */
  readonly made: string;
  /** The generation that was current before. */
  readonly previous: number | null;
}

/**
 * The numbers of all generations of a chroot. A tree there is complete: its record comes first, and it comes in one step.
 * 0 is the tree of another program, and each build has one more.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns The smallest first.
 */
export async function generationNumbers(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<number[]> {
  const entries = await host.files.list(chrootPlaces(store, name).generations);
  return entries.filter((entry) => NUMBER.test(entry)).map(Number).sort((a, b) => a - b);
}

const NUMBER = /^(?:0|[1-9]\d{0,8})$/;

/**
 * The tree of a generation.
 *
 * @param store The store's folder.
 * @param name The chroot.
 * @param number Which.
 * @returns An absolute path.
 */
export function generationPath(store: string, name: ChrootName, number: number): string {
  return join(chrootPlaces(store, name).generations, `${number}`);
}

/**
 * The current generation, as the chroot's symlink says.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns Null where there is no such symlink of ours.
 */
export async function currentNumber(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<number | null> {
  const target = await host.files.readLink(chrootPlaces(store, name).path);
  const number = target === null ? null : generationAt(name, `/${target}`);
  return number !== null && target === linkTarget(name, number) ? number : null;
}

/**
 * Which generation of a chroot a path is.
 *
 * @param name The chroot.
 * @param path A path without symlinks.
 * @returns Null where it is none.
 */
export function generationAt(name: ChrootName, path: string): number | null {
  const [folder, owner, number = ""] = path.split("/").slice(-3);
  return folder === ".generations" && owner === name && NUMBER.test(number) ? Number(number) : null;
}

/**
 * Where a chroot's symlink leads, from its own folder.
 *
 * @param name The chroot.
 * @param number Its current generation.
 * @returns A relative path.
 */
export function linkTarget(name: ChrootName, number: number): string {
  return `.generations/${name}/${number}`;
}

/**
 * Records a build. It is for root alone: an image's environment may hold a secret.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @param number Which build; the folder of generations exists.
 * @param record What is recorded.
 */
export async function writeRecord(
  host: Host,
  store: string,
  name: ChrootName,
  number: number,
  record: GenerationRecord,
): Promise<void> {
  const text = JSON.stringify(record, null, 2) + "\n";
  await host.files.replace(recordPath(store, name, number), text);
}

/**
 * What was recorded of a build.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @param number Which build.
 * @returns Null where nothing is known: another program may have made it.
 */
export async function readRecord(
  host: Host,
  store: string,
  name: ChrootName,
  number: number,
): Promise<GenerationRecord | null> {
  try {
    const text = await host.files.read(recordPath(store, name, number));
    return parseRecord(JSON.parse(text ?? "null"));
  } catch {
    return null; // a damaged record says nothing, and is no reason to fail
  }
}

/**
 * A record, whoever wrote it.
 *
 * @param value What was read.
 * @returns Null where it is none.
 */
export function parseRecord(value: unknown): GenerationRecord | null {
  const record = value as GenerationRecord | null;
  const isText = (text: unknown) => typeof text === "string" && PRINTABLE.test(text);
  const isTextOrNull = (text: unknown) => text === null || isText(text);
  const isRecord = record?.version === 1 && isText(record.origin) && isText(record.made) &&
    isTextOrNull(record.pin) && isTextOrNull(record.recipe);
  return isRecord ? { ...record, image: recordedImage(record.image) } : null;
}

/** Nothing that a terminal would obey. */
const PRINTABLE = /^[\x20-\x7e]{1,512}$/;

/** Checked again, since a record may come from another host. */
function recordedImage(image: ImageConfig | null | undefined): ImageConfig | null {
  if (image === null || image === undefined) return null;
  const { env, user, workingDir, entrypoint, cmd } = image;
  const words = { Env: env, User: user, WorkingDir: workingDir, Entrypoint: entrypoint, Cmd: cmd };
  return parseImageConfig(words);
}

/**
 * The file that says what is known of a build.
 *
 * @param store The store's folder.
 * @param name The chroot.
 * @param number Which build.
 * @returns An absolute path.
 */
export function recordPath(store: string, name: ChrootName, number: number): string {
  return `${generationPath(store, name, number)}.json`;
}
