import { removeStrangersTree } from "../../linux/untrusted_tree.ts";
import { mount, moveMount, unmountAll } from "../../linux/mounts.ts";
import { BYTES_PER_FILE, remainingOn } from "./disk.ts";
import { makeUpperLayer, overlayRoot, bytesInUpperLayer } from "./overlay.ts";
import type { Storage } from "./storage.ts";

/** Writes go to memory: an overlay whose upper layer lies on a tmpfs of the machine's own. */
export const tmpfs: Storage = {
  kind: "tmpfs",
  async create(host, _chroot, folder, ids, diskMax) {
    const options = ["-t", "tmpfs", "-o", `mode=0700,nodev${sizeOf(diskMax)}`];
    await mount(host, [...options, "nspawn-runner", folder], `a tmpfs on ${folder}`);
    await makeUpperLayer(host, folder, ids);
  },
  root: overlayRoot,
  bytesWritten: bytesInUpperLayer,
  remaining: remainingOn,
  async move(host, from, to) {
    await moveMount(host, from, to);
    await removeStrangersTree(host, from);
  },
  async remove(host, folder) {
    await unmountAll(host, folder);
    await removeStrangersTree(host, folder);
  },
};

/** Empty files have no size, and take memory. */
function sizeOf(diskMax: number | null): string {
  return diskMax === null ? "" : `,size=${diskMax},nr_inodes=${Math.ceil(diskMax / BYTES_PER_FILE)}`;
}
