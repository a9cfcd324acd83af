import { dirname } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
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
    // More than once, where a prepare was killed and repeated.
    while (await isMountPoint(host, folder)) {
      const unmounted = await host.processes.capture(["umount", folder]);
      if (unmounted.code !== 0) {
        throw hostFailure(`Cannot unmount ${folder}: ${unmounted.stderr.trim()}`);
      }
    }
    await host.files.removeTree(folder);
  },
};

/** Another file system than the folder above is on another device. */
async function isMountPoint(host: Host, folder: string): Promise<boolean> {
  const own = await host.files.stat(folder);
  return own !== null && own.dev !== (await host.files.stat(dirname(folder)))?.dev;
}
