import { mount, moveMount } from "../../linux/mounts.ts";
import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import { BYTES_PER_FILE, remainingOn } from "./disk.ts";
import { bytesInUpperLayer, makeUpperLayer, overlayRoot } from "./overlay.ts";
import type { Storage } from "./storage.ts";

/** Keeps a machine's writes in memory: an overlay whose upper layer is on the machine's own tmpfs. */
export const tmpfs: Storage = {
  kind: "tmpfs",
  async create(host, _lower, folder, ids, diskMax) {
    const options = ["-t", "tmpfs", "-o", `mode=0700,nodev${limitOptions(diskMax)}`];
    await mount(host, [...options, "nspawn-runner", folder], `a tmpfs on ${folder}`);
    await makeUpperLayer(host, folder, ids);
  },
  root: overlayRoot,
  bytesWritten: bytesInUpperLayer,
  remaining: remainingOn,
  async move(host, from, to) {
    await moveMount(host, from, to);
    await removeUntrustedTree(host, from);
  },
};

/** The number of files is limited as well: empty files have no size, but need memory. */
function limitOptions(diskMax: number | null): string {
  if (diskMax === null) return "";
  return `,size=${diskMax},nr_inodes=${Math.ceil(diskMax / BYTES_PER_FILE)}`;
}
