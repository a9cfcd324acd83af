/** Directory trees of chroots: subvolumes on btrfs, plain directories elsewhere. */

import { dirname, join } from "@std/path/posix";
import { hostFailure, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { removeUntrustedTree } from "./untrusted_tree.ts";
import { createSubvolume, isSubvolume, snapshotSubvolume } from "./btrfs.ts";
import { parseMounts, readKernel } from "./proc.ts";
import { runTool } from "./tool.ts";

/** Creates an empty tree in an existing folder. */
export async function makeTree(host: Host, path: string): Promise<void> {
  if (await isOnBtrfs(host, dirname(path))) await createSubvolume(host, path);
  else await host.files.makeDirectory(path, 0o755);
  // It becomes the root directory of machines, where users other than root work, too.
  await host.files.chmod(path, 0o755);
}

/** Copies a tree into an existing folder, with all metadata of its files. */
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

/** Copies the content of a folder into an existing tree, with all metadata of its files. */
export function copyInto(
  host: Host,
  from: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  const argv = ["cp", "--archive", "--reflink=auto", "--one-file-system", "--"] as const;
  return runTool(host, [...argv, `${from}/.`, tree], {}, interrupt);
}

/** Unpacks a tar file, which may be compressed, into an empty tree, with all metadata of its files. */
export function unpackTar(
  host: Host,
  file: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  // tar itself strips the slash of absolute names, refuses `..`, and creates links out of the tree last.
  const options = ["--numeric-owner", "--same-permissions", ...XATTRS, "--force-local"] as const;
  const argv = ["tar", "--extract", `--file=${file}`, `--directory=${tree}`, ...options] as const;
  return runTool(host, argv, {}, interrupt);
}

/** Packs a tree into a tar file; the same tree gives the same file. */
export function packTar(
  host: Host,
  tree: string,
  file: string,
  interrupt: AbortSignal,
): Promise<void> {
  const options = [
    "--format=posix",
    // These would differ between two calls: tar's process id, and the times of access and of status change.
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
    "--sort=name",
    "--numeric-owner",
    ...XATTRS,
    "--one-file-system",
    "--warning=no-file-ignored", // sockets are left out
    "--force-local", // a colon in the file's name does not separate a host
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

/** Extended attributes, with the capabilities of files. */
const XATTRS = ["--xattrs", "--xattrs-include=*"] as const;

/**
 * Removes a tree; does nothing where it does not exist.
 *
 * @throws {Failure} where a file system is mounted in it.
 */
export async function removeTree(host: Host, path: string): Promise<void> {
  const stat = await host.files.lstat(path);
  if (stat?.kind !== "directory") return await host.files.remove(path);
  const mount = (await mountsIn(host, path)).at(-1);
  if (mount !== undefined) {
    throw refused(
      `Cannot remove ${path}: something is mounted in it`,
      `Unmount it: umount ${mount}`,
    );
  }
  await removeFiles(host, path);
}

/**
 * Removes a folder of trees, tree by tree, since each can be a subvolume; does nothing where it does not exist.
 *
 * @throws {Failure} where a file system is mounted in one of them.
 */
export async function removeTrees(host: Host, folder: string): Promise<void> {
  for (const entry of await host.files.list(folder)) await removeTree(host, join(folder, entry));
  await removeTree(host, folder);
}

/** Tries several times: processes that were just killed may still add files. */
async function removeFiles(host: Host, path: string, attempts = 5): Promise<void> {
  try {
    await removeUntrustedTree(host, path);
  } catch (error) {
    if (attempts <= 1) throw error;
    await host.clock.sleep(100);
    await removeFiles(host, path, attempts - 1);
  }
}

/** Returns the mount points at a path and below it, in the order in which they were mounted. */
export async function mountsIn(host: Host, path: string): Promise<string[]> {
  const real = await host.files.real(path) ?? path;
  return parseMounts(await readKernel(host, "/proc/self/mountinfo"))
    .map(({ point }) => point)
    .filter((point) => point === real || point.startsWith(`${real}/`));
}

/** Writes a tree to its disk: if it were renamed before, a power cut could leave empty files in it. */
export async function syncTree(host: Host, path: string): Promise<void> {
  await host.processes.capture(["sync", "--file-system", path]);
}

async function isOnBtrfs(host: Host, path: string): Promise<boolean> {
  return await fileSystemType(host, path) === "btrfs";
}

/** Returns the type of the file system that holds a path, as stat(1) names it. */
export async function fileSystemType(host: Host, path: string): Promise<string> {
  const argv = ["stat", "--file-system", "--format=%T", "--", path] as const;
  const { code, stdout, stderr } = await host.processes.capture(argv);
  if (code === 0) return stdout.trim();
  throw hostFailure(`Cannot read the type of the file system of ${path}: ${stderr.trim()}`);
}
