/** The user that runs the scripts of a machine. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";

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
 * @throws {Failure} where the chroot has no such user or group.
 */
export async function findUser(
  host: Host,
  tree: string,
  wanted: string,
): Promise<MachineUser | null> {
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
    throw refused(
      `Cannot run scripts as user ${JSON.stringify(wanted)}: the chroot has none`,
      `Create one in its definition: setup = ["${
        setupCommandFor(USER_NAME.test(user) ? user : "ci")
      }"]`,
    );
  }
  return own;
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
