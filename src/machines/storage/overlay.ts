import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { escapeColons } from "../nspawn.ts";
import type { Root, Storage } from "./storage.ts";

/** Writes go to a folder on the store, over the read-only chroot. */
export const overlay: Storage = {
  kind: "overlay",
  open: (host, chroot, folder) => overlayOver(host, chroot, folder),
  close: (host, folder) => host.files.removeTree(folder),
};

/**
 * An overlay that nspawn mounts in the machine's own mount namespace, so that nothing of it is
 * left on the host however the machine ends.
 *
 * @param host The outside.
 * @param chroot The lower layer, shared by any number of machines: read-only takes no lock on it.
 * @param folder Where the upper layer is made; nspawn puts its work folder beside it.
 * @returns The root.
 */
export async function overlayOver(host: Host, chroot: string, folder: string): Promise<Root> {
  const upper = join(folder, "upper");
  await host.files.makeDirectory(upper, 0o755);
  return {
    options: [
      `--directory=${chroot}`,
      "--read-only",
      `--overlay=${escapeColons(chroot)}:${escapeColons(upper)}:/`,
    ],
  };
}
