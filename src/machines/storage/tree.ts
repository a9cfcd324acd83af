import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import { BIND_WITHOUT_DEVICES_SCRIPT } from "./btrfs.ts";
import { moveFolder } from "./overlay.ts";
import type { Lower } from "../record/lower.ts";
import type { Root } from "./storage.ts";

/**
 * Keeps nothing apart: the root is the tree itself, for a machine in which a chroot is built. Owners on the disk are
 * true ones, also where the machine has user ids of its own.
 */
export const tree = {
  kind: "tree" as const,
  create: () => Promise.resolve(),
  root: ({ folder: tree }: Lower, _folder: string, ids: number | null): Root => ({
    options: [`--directory=${tree}`, ...(ids === null ? [] : ["--private-users-ownership=map"])],
    mount: { script: BIND_WITHOUT_DEVICES_SCRIPT, args: [tree] },
  }),
  bytesWritten: () => Promise.resolve(null),
  remaining: () => Promise.resolve(null),
  move: moveFolder,
  remove: removeUntrustedTree,
};
