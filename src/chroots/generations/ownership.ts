/** Refuses to replace or remove a chroot that the administrator made by a symlink or has mounted something in. */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { Host } from "../../host/host.ts";
import { mountsIn } from "../../linux/tree.ts";
import { ChrootFailure } from "./chroot_failure.ts";
import { chrootPaths } from "./paths.ts";
import { currentNumber } from "./record.ts";

/**
 * Refuses a chroot that is an administrator's symlink, or that has something mounted in it.
 *
 * @param verb The change, as in `Cannot VERB chroot NAME`.
 */
export async function requireOwned(
  host: Host,
  store: string,
  name: ChrootName,
  verb: string,
): Promise<void> {
  const { path, generations } = chrootPaths(store, name);
  const refusal = (reason: string, hint: string) =>
    new ChrootFailure("refused", name, `Cannot ${verb} chroot ${name}: ${reason}`, hint);
  const isLink = (await host.files.lstat(path))?.kind === "symlink";
  if (isLink && await currentNumber(host, store, name) === null) {
    const target = await host.files.readLink(path);
    throw refusal(
      `it is a symlink to ${target}`,
      `Change that tree by other means, or remove the symlink: rm ${path}`,
    );
  }
  const [mount] = await mountsIn(host, isLink ? generations : path);
  if (mount !== undefined) {
    throw refusal(`something is mounted at ${mount}`, `Unmount it: umount ${mount}`);
  }
}
