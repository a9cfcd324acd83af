/** Directory trees: subvolumes on btrfs, plain directories elsewhere. */

import { dirname, join } from "@std/path/posix";
import { hostFailure, messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { removeStrangersTree } from "./untrusted_tree.ts";
import { createSubvolume, deleteSubvolume, isSubvolume, snapshotSubvolume } from "./btrfs.ts";
import { parseMounts, readKernel } from "./proc.ts";
import { runTool } from "./tool.ts";

/**
 * Makes an empty tree.
 *
 * @param host The outside.
 * @param path Where; its folder exists.
 */
export async function makeTree(host: Host, path: string): Promise<void> {
  if (await isOnBtrfs(host, dirname(path))) await createSubvolume(host, path);
  else await host.files.makeDirectory(path, 0o755);
  // The root directory of machines: with less, nobody but root could work in them.
  await host.files.chmod(path, 0o755);
}

/**
 * Copies a tree with all that belongs to its files.
 *
 * @param host The outside.
 * @param from The tree.
 * @param to Where the copy is to be; its folder exists.
 * @param interrupt Gives up when aborted.
 */
export async function copyTree(
  host: Host,
  from: string,
  to: string,
  interrupt: AbortSignal,
): Promise<void> {
  if (await isOnBtrfs(host, dirname(to)) && await isSubvolume(host, from)) {
    return await snapshotSubvolume(host, from, to);
  }
  await makeTree(host, to);
  await copyInto(host, from, to, interrupt);
}

/**
 * Copies what is in a folder, with all that belongs to its files, into a tree that is there.
 *
 * @param host The outside.
 * @param from The folder.
 * @param tree The tree.
 * @param interrupt Gives up when aborted.
 */
export function copyInto(
  host: Host,
  from: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  const argv = ["cp", "--archive", "--reflink=auto", "--one-file-system", "--"] as const;
  return runTool(host, [...argv, `${from}/.`, tree], {}, interrupt);
}

/**
 * Unpacks a tar file into an empty tree, with all that belongs to its files.
 *
 * @param host The outside.
 * @param file The tar file, compressed in any way that tar(1) knows.
 * @param tree The tree.
 * @param interrupt Gives up when aborted.
 */
export function unpackTar(
  host: Host,
  file: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  // tar itself takes the slash off absolute names, refuses `..`, and makes links that lead out last.
  const options = ["--numeric-owner", "--same-permissions", ...XATTRS, "--force-local"] as const;
  const argv = ["tar", "--extract", `--file=${file}`, `--directory=${tree}`, ...options] as const;
  return runTool(host, argv, {}, interrupt);
}

/**
 * Packs a tree into a tar file; the same tree makes the same file.
 *
 * @param host The outside.
 * @param tree The tree.
 * @param file The tar file.
 * @param interrupt Gives up when aborted.
 */
export function packTar(
  host: Host,
  tree: string,
  file: string,
  interrupt: AbortSignal,
): Promise<void> {
  const options = [
    "--format=posix",
    // Without what would differ from one call to the next: the times of access, and tar's own pid.
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
    "--sort=name",
    "--numeric-owner",
    ...XATTRS,
    "--one-file-system",
    "--warning=no-file-ignored", // a socket is nothing without who listens
    "--force-local", // a colon in the name is no host's
  ] as const;
  const argv = [
    "tar",
    "--create",
    `--file=${file}`,
    `--directory=${tree}`,
    ...options,
    ".",
  ] as const;
  return runTool(host, argv, {}, interrupt);
}

/** Capabilities of files among them. */
const XATTRS = ["--xattrs", "--xattrs-include=*"] as const;

/**
 * Removes a tree; fine when there is none.
 *
 * @param host The outside.
 * @param path The tree.
 * @throws {Failure} where something is mounted in it.
 */
export async function removeTree(host: Host, path: string): Promise<void> {
  const stat = await host.files.lstat(path);
  if (stat?.kind !== "directory") return await host.files.remove(path);
  const mount = (await mountsIn(host, path)).at(-1);
  if (mount !== undefined) {
    throw refused(`Cannot remove ${path}: something is mounted in it`, `Undo it: umount ${mount}`);
  }
  if (await isOnBtrfs(host, path)) await deleteSubvolume(host, path);
  await removeFiles(host, path);
}

/**
 * Removes a folder of trees, each perhaps a subvolume, which no folder above can take along. Fine when
 * there is none.
 *
 * @param host The outside.
 * @param folder The folder.
 * @throws {Failure} where something is mounted in one.
 */
export async function removeTrees(host: Host, folder: string): Promise<void> {
  for (const entry of await host.files.list(folder)) await removeTree(host, join(folder, entry));
  await removeTree(host, folder);
}

/** Processes that were just killed may still write: what they added goes with the next attempt. */
async function removeFiles(host: Host, path: string, attempts = 5): Promise<void> {
  try {
    await removeStrangersTree(host, path);
  } catch (error) {
    if (attempts <= 1) {
      throw hostFailure(`Cannot remove ${path}: ${messageOf(error)}`, undefined, error);
    }
    await host.clock.sleep(100);
    await removeFiles(host, path, attempts - 1);
  }
}

/**
 * Mount points at a path or below it: proc_pid_mountinfo(5).
 *
 * @param host The outside.
 * @param path A path.
 * @returns Mount points in the order in which they were made.
 */
export async function mountsIn(host: Host, path: string): Promise<string[]> {
  const real = await host.files.real(path) ?? path;
  return parseMounts(await readKernel(host, "/proc/self/mountinfo"))
    .map(({ point }) => point)
    .filter((point) => point === real || point.startsWith(`${real}/`));
}

/**
 * Waits until a tree is on its disk: renamed before, a power cut could leave empty files in it.
 *
 * @param host The outside.
 * @param path The tree.
 */
export async function syncTree(host: Host, path: string): Promise<void> {
  await host.processes.capture(["sync", "--file-system", path]);
}

async function isOnBtrfs(host: Host, path: string): Promise<boolean> {
  const asked = await host.processes.capture(["stat", "--file-system", "--format=%T", "--", path]);
  if (asked.code === 0) return asked.stdout.trim() === "btrfs";
  throw hostFailure(`Cannot tell the file system of ${path}: ${asked.stderr.trim()}`);
}
