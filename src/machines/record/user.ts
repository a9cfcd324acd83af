/** Who runs the scripts of a machine. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";

/** A user of a machine, as its chroot knows him. */
export interface MachineUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** One line of passwd(5) or group(5), as fields. */
type Fields = readonly string[];

/**
 * The user who is to run a machine's scripts.
 *
 * @param host The outside.
 * @param tree The chroot's tree.
 * @param wanted A name or a number, and perhaps a group after a colon, as images write it; empty for root.
 * @returns Null for root.
 * @throws {Failure} where the chroot has no such user or group.
 */
export async function findUser(
  host: Host,
  tree: string,
  wanted: string,
): Promise<MachineUser | null> {
  const [user = "", group] = wanted.split(":");
  if (["", "root", "0"].includes(user)) return null;
  const entry = entryOf(await linesOf(host, tree, "passwd"), user);
  const [name = user, , uid = user, gid = "0", , home = "/"] = entry ?? [];
  const own = {
    name,
    uid: Number(uid),
    gid: await groupOf(host, tree, group) ?? Number(gid),
    home,
  };
  if (!NUMBER.test(uid) || !NUMBER.test(`${own.gid}`) || !NAME.test(name) || !HOME.test(home)) {
    throw refused(
      `Cannot run scripts as user ${JSON.stringify(wanted)}: the chroot has none`,
      `Make one, as with setup = ["${makingOf(NAME.test(user) ? user : "ci")}"] in its definition`,
    );
  }
  return own;
}

/** Again at each maintenance, when he is there. */
function makingOf(name: string): string {
  return `id ${name} || useradd --create-home ${name}`;
}

const NUMBER = /^\d{1,9}$/;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
/** What a line of ours can hold. */
const HOME = /^\/[^\0\n]*$/;

async function groupOf(
  host: Host,
  tree: string,
  group: string | undefined,
): Promise<number | undefined> {
  if (group === undefined || group === "") return undefined;
  const entry = entryOf(await linesOf(host, tree, "group"), group);
  return Number(entry?.[2] ?? group);
}

/** A name beats a number. */
function entryOf(lines: readonly Fields[], wanted: string): Fields | undefined {
  return lines.find(([name]) => name === wanted) ??
    (NUMBER.test(wanted) ? lines.find(([, , number]) => number === wanted) : undefined);
}

/** A link could lead to a file of the host. */
async function linesOf(host: Host, tree: string, file: string): Promise<Fields[]> {
  const path = join(tree, "etc", file);
  if ((await host.files.lstat(path))?.kind !== "file") return [];
  return (await host.files.read(path) ?? "").split("\n").map((line) => line.split(":"));
}
