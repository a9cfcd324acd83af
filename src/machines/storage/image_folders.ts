import type { Host } from "../../host/host.ts";

/** Folders that a machine needs, with their modes: systemd-nspawn(1) starts no root without /usr. */
const IMAGE_FOLDERS = [
  ...["usr", "etc", "builds", "cache", "dev", "proc", "run", "sys"].map((name) =>
    [name, 0o755] as const
  ),
  ["tmp", 0o1777],
] as const;

/** Files on which systemd-nspawn mounts, or which it replaces. */
const IMAGE_FILES = ["etc/hosts", "etc/resolv.conf"];

/**
 * Creates in the upper layer the folders that an image may lack, of root of the machine. An image may have a link in
 * the place of one, which a folder in the upper layer hides: Docker has these in a layer over the image as well.
 */
export async function makeImageFolders(
  host: Host,
  upper: string,
  ids: number | null,
): Promise<void> {
  await Promise.all(IMAGE_FOLDERS.map(async ([name, mode]) => {
    const path = `${upper}/${name}`;
    await host.files.makeDirectory(path, mode);
    await host.files.chmod(path, mode);
    if (ids !== null) await host.files.chown(path, ids, ids);
  }));
  await Promise.all(IMAGE_FILES.map(async (name) => {
    await host.files.write(`${upper}/${name}`, "", 0o644);
    if (ids !== null) await host.files.chown(`${upper}/${name}`, ids, ids);
  }));
}
