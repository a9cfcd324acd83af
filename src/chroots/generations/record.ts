/** Generations: the builds of a chroot, each with a record of how it was made. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { Host } from "../../host/host.ts";
import { type ImageConfig, parseImageConfig } from "../../images/store/image_config.ts";
import { chrootPaths } from "./paths.ts";

/** What is recorded of a build. */
export interface GenerationRecord {
  readonly version: 1;
  /** What it was made from: a suite, or a source as a definition names it. */
  readonly origin: string;
  /**
   * The state of the origin: an image's digest, or the number and date of another chroot's build.
   */
  readonly pin: string | null;
  /**
   * The image or tar file from which its programs came, also by way of other chroots: they are not trusted with the
   * host. Null where the administrator's own programs made it.
   */
  readonly stranger: string | null;
  /** The hash of the definition and the playbook that made it. */
  readonly recipe: string | null;
  /** How programs run in it, where it was made from an image. */
  readonly image: ImageConfig | null;
  /** Bytes on disk when it was made; null where they could not be counted. */
  readonly size: number | null;
  /** When it was made or updated, as ISO 8601. */
  readonly made: string;
  /** The generation that was current before it. */
  readonly previous: number | null;
}

/** The origin of a tree that another program made. */
export const UNKNOWN_ORIGIN = "unknown";

/**
 * Lists the numbers of all generations of a chroot, the smallest first. Each tree in that folder is
 * complete: its record is written before, and the tree is moved there in one step. Number 0 is a
 * tree that another program made.
 */
export async function generationNumbers(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<number[]> {
  const entries = await host.files.list(chrootPaths(store, name).generations);
  return entries.filter((entry) => NUMBER.test(entry)).map(Number).sort((a, b) => a - b);
}

const NUMBER = /^(?:0|[1-9]\d{0,8})$/;

/** Returns the absolute path of a generation's tree. */
export function generationPath(store: string, name: ChrootName, number: number): string {
  return join(chrootPaths(store, name).generations, `${number}`);
}

/** Returns the number of the current generation; null where the chroot is not a symlink to one. */
export async function currentNumber(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<number | null> {
  const target = await host.files.readLink(chrootPaths(store, name).path);
  const number = target === null ? null : generationAt(name, `/${target}`);
  return number !== null && target === linkTarget(name, number) ? number : null;
}

/**
 * Returns the number of the generation at a path; null where the path is none of the chroot's
 * generations.
 *
 * @param path A path without symlinks.
 */
export function generationAt(name: ChrootName, path: string): number | null {
  const [folder, owner, number = ""] = path.split("/").slice(-3);
  return folder === ".generations" && owner === name && NUMBER.test(number) ? Number(number) : null;
}

/** Returns the target of a chroot's symlink, relative to the store. */
export function linkTarget(name: ChrootName, number: number): string {
  return `.generations/${name}/${number}`;
}

/** Records a build. Only root can read the record: an image's environment may hold a secret. */
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
 * Reads the record of a build; null where it is missing (another program made the tree) or damaged.
 */
export async function readRecord(
  host: Host,
  store: string,
  name: ChrootName,
  number: number,
): Promise<GenerationRecord | null> {
  return await readRecordOf(host, generationPath(store, name, number));
}

/** Reads the record of the generation whose tree has a path, as {@linkcode readRecord} does. */
export async function readRecordOf(host: Host, tree: string): Promise<GenerationRecord | null> {
  try {
    return parseRecord(JSON.parse(await host.files.read(recordOf(tree)) ?? "null"));
  } catch {
    return null;
  }
}

/** Reads the record of the current generation; null where another program made the chroot. */
export async function currentRecord(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<GenerationRecord | null> {
  const number = await currentNumber(host, store, name);
  return number === null ? null : await readRecord(host, store, name, number);
}

/** Checks a record, which may come from another host; returns null where it is none. */
export function parseRecord(value: unknown): GenerationRecord | null {
  const record = value as GenerationRecord | null;
  const isRecord = record?.version === 1 && isPrintable(record.origin) &&
    isPrintable(record.made) && isPrintableOrNull(record.pin) && isPrintableOrNull(record.recipe);
  if (!isRecord) return null;
  // Builds of early versions do not name a stranger.
  const { stranger = /^(?:docker|oci|tar|extends):/.test(record.origin) ? record.origin : null } =
    record;
  return isPrintableOrNull(stranger)
    ? { ...record, stranger, image: checkedImage(record.image) }
    : null;
}

/** Returns whether a value is null or a text of a record that a terminal can show. */
export function isPrintableOrNull(value: unknown): value is string | null {
  return value === null || isPrintable(value);
}

function isPrintable(value: unknown): value is string {
  return typeof value === "string" && PRINTABLE.test(value);
}

/** Excludes control characters, which a terminal would interpret. A path may have letters of any script. */
const PRINTABLE = /^[\x20-\x7e\p{L}\p{N}]{1,512}$/u;

function checkedImage(image: ImageConfig | null | undefined): ImageConfig | null {
  if (image === null || image === undefined) return null;
  const { env, user, workingDir, entrypoint, cmd } = image;
  return parseImageConfig({
    Env: env,
    User: user,
    WorkingDir: workingDir,
    Entrypoint: entrypoint,
    Cmd: cmd,
  });
}

/** Returns the absolute path of a build's record. */
export function recordPath(store: string, name: ChrootName, number: number): string {
  return recordOf(generationPath(store, name, number));
}

function recordOf(tree: string): string {
  return `${tree}.json`;
}
