import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { isMountPoint } from "./mounts.ts";
import { overlayOver } from "./overlay.ts";
import type { Storage } from "./storage.ts";

/** Writes go to memory: an overlay whose upper layer lies on a tmpfs of the machine's own. */
export const tmpfs: Storage = {
  kind: "tmpfs",
  async open(host, chroot, folder) {
    const mounted = await host.processes.capture(
      ["mount", "-t", "tmpfs", "-o", "mode=0700,nodev", "nspawn-runner", folder],
    );
    if (mounted.code !== 0) {
      throw hostFailure(`Cannot mount a tmpfs on ${folder}: ${mounted.stderr.trim()}`);
    }
    return await overlayOver(host, chroot, folder);
  },
  async close(host, folder) {
    await unmount(host, folder);
    await host.files.removeTree(folder);
  },
};

async function unmount(host: Host, folder: string): Promise<void> {
  // More than once, where a prepare was killed and repeated.
  while (await isMountPoint(host, folder)) {
    const unmounted = await host.processes.capture(["umount", folder]);
    if (unmounted.code !== 0) {
      throw hostFailure(`Cannot unmount ${folder}: ${unmounted.stderr.trim()}`);
    }
  }
}
