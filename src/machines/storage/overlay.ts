import { join } from "@std/path/posix";
import type { Argv, Host } from "../../host/host.ts";
import { removeStrangersTree } from "../../host/strangers.ts";
import { escapeColons } from "../nspawn.ts";
import type { Root, Storage } from "./storage.ts";

/** Writes go to a folder on the store, over the read-only chroot. */
export const overlay: Storage = {
  kind: "overlay",
  open: (host, _chroot, folder) => makeUpper(host, folder),
  root: overlayOver,
  written: writtenTo,
  move: moveFolder,
  close: removeStrangersTree,
};

/**
 * Makes the upper layer.
 *
 * @param host The outside.
 * @param folder The machine's own folder.
 */
export function makeUpper(host: Host, folder: string): Promise<void> {
  return host.files.makeDirectory(upperIn(folder), 0o755);
}

/**
 * An overlay that nspawn mounts in the machine's own mount namespace, so that nothing of it is
 * left on the host however the machine ends.
 *
 * @param chroot The lower layer, shared by any number of machines: read-only takes no lock on it.
 * @param folder Where the upper layer is; nspawn puts its work folder beside it.
 * @returns The root.
 */
export function overlayOver(chroot: string, folder: string): Root {
  return {
    options: [
      `--directory=${chroot}`,
      "--read-only",
      `--overlay=${escapeColons(chroot)}:${escapeColons(upperIn(folder))}:/`,
    ],
  };
}

/**
 * How much the upper layer holds.
 *
 * @param host The outside.
 * @param folder The machine's own folder.
 * @returns Bytes on disk.
 */
export async function writtenTo(host: Host, folder: string): Promise<number | null> {
  const argv: Argv = ["du", "--summarize", "--one-file-system", "--block-size=1", upperIn(folder)];
  const { stdout } = await host.processes.capture(argv);
  return Number(stdout.match(/^(\d+)\t/)?.[1] ?? NaN) || null;
}

/**
 * Moves a machine's own folder in one step. Fine when that was done.
 *
 * @param host The outside.
 * @param from Where it is.
 * @param to Where it is to be.
 */
export async function moveFolder(host: Host, from: string, to: string): Promise<void> {
  if (await host.files.lstat(from) !== null) await host.files.rename(from, to);
}

function upperIn(folder: string): string {
  return join(folder, "upper");
}
