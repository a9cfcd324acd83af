/** The user that runs the scripts of a machine. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { isPulledImage, type RootSource } from "./lower.ts";

/** A user from the chroot's passwd(5). */
export interface MachineUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** One line of passwd(5) or group(5), as fields. */
type Fields = readonly string[];

/**
 * Returns the user of scripts; null for root.
 *
 * @param wanted A name or a number, optionally with `:GROUP`, as images write it; empty for root.
 * @param base Where scripts run.
 * @throws {Failure} where it has no such user or group.
 */
export async function findUser(
  host: Host,
  base: RootSource,
  wanted: string,
): Promise<MachineUser | null> {
  const tree = base.path;
  const [user = "", group] = wanted.split(":");
  if (["", "root", "0"].includes(user)) return null;
  const entry = findEntry(await readEntries(host, tree, "passwd"), user);
  const [name = user, , uid = user, gid = "0", , home = "/"] = entry ?? [];
  const own = {
    name,
    uid: Number(uid),
    gid: await groupOf(host, tree, group) ?? Number(gid),
    home,
  };
  if (!ID.test(uid) || !ID.test(`${own.gid}`) || !USER_NAME.test(name) || !HOME.test(home)) {
    throw unknownUser(wanted, isPulledImage(base));
  }
  return own;
}

/** Returns the home of a user by passwd(5) of a tree; null where it has no such user, or an unusable home. */
export async function homeOf(host: Host, tree: string, name: string): Promise<string | null> {
  const home = findEntry(await readEntries(host, tree, "passwd"), name)?.[5] ?? "";
  return HOME.test(home) ? home : null;
}

function unknownUser(wanted: string, isImage: boolean): Error {
  const [user = ""] = wanted.split(":");
  return refused(
    `Cannot run scripts as user ${JSON.stringify(wanted)}: the ${
      isImage ? "image" : "chroot"
    } has none`,
    isImage
      ? "Name one that the image has, or a number, by image:docker:user in the job"
      : `Create one in its definition: setup = ["${
        setupCommandFor(USER_NAME.test(user) ? user : "ci")
      }"]`,
  );
}

/** Maintenance runs it again, when the user exists. */
function setupCommandFor(name: string): string {
  return `id ${name} || useradd --create-home ${name}`;
}

const ID = /^\d{1,9}$/;
const USER_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
/** A home without the characters that the stage's files cannot hold. */
const HOME = /^\/[^\0\n]*$/;

async function groupOf(
  host: Host,
  tree: string,
  group: string | undefined,
): Promise<number | undefined> {
  if (group === undefined || group === "") return undefined;
  const entry = findEntry(await readEntries(host, tree, "group"), group);
  return Number(entry?.[2] ?? group);
}

/** A user may have a number for a name: names come first. */
function findEntry(lines: readonly Fields[], wanted: string): Fields | undefined {
  return lines.find(([name]) => name === wanted) ??
    (ID.test(wanted) ? lines.find(([, , number]) => number === wanted) : undefined);
}

/** A link could lead to a file of the host. */
async function readEntries(host: Host, tree: string, file: string): Promise<Fields[]> {
  const path = join(tree, "etc", file);
  if ((await host.files.lstat(path))?.kind !== "file") return [];
  return (await host.files.read(path) ?? "").split("\n").map((line) => line.split(":"));
}
