import { dirname } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeStrangersTree } from "../../host/strangers.ts";
import { makeUpper, overlayOver, writtenTo } from "./overlay.ts";
import type { Storage } from "./storage.ts";

/** Writes go to memory: an overlay whose upper layer lies on a tmpfs of the machine's own. */
export const tmpfs: Storage = {
  kind: "tmpfs",
  async open(host, _chroot, folder, ids) {
    const options = ["-t", "tmpfs", "-o", "mode=0700,nodev"];
    await mount(host, [...options, "nspawn-runner", folder], `a tmpfs on ${folder}`);
    await makeUpper(host, folder, ids);
  },
  root: overlayOver,
  written: writtenTo,
  async move(host, from, to) {
    if (!await isMountPoint(host, from)) return;
    await host.files.makeDirectory(to);
    if (!await isMountPoint(host, to)) await mount(host, ["--bind", from, to], `${from} on ${to}`);
    await this.close(host, from);
  },
  async close(host, folder) {
    // More than once, where a prepare was killed and repeated.
    while (await isMountPoint(host, folder)) {
      const unmounted = await host.processes.capture(["umount", folder]);
      if (unmounted.code !== 0) {
        throw hostFailure(`Cannot unmount ${folder}: ${unmounted.stderr.trim()}`);
      }
    }
    await removeStrangersTree(host, folder);
  },
};

async function mount(host: Host, words: readonly string[], what: string): Promise<void> {
  const { code, stderr } = await host.processes.capture(["mount", ...words]);
  if (code !== 0) throw hostFailure(`Cannot mount ${what}: ${stderr.trim()}`);
}

/** Another file system than the folder above is on another device. */
async function isMountPoint(host: Host, folder: string): Promise<boolean> {
  const own = await host.files.stat(folder);
  return own !== null && own.dev !== (await host.files.stat(dirname(folder)))?.dev;
}
