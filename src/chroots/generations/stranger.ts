/** Sources that strangers made, whose programs are not trusted with the host. */

import { isChrootName } from "../../config/chroot_name.ts";
import type { ChrootContext } from "./context.ts";
import { chrootPaths } from "./paths.ts";
import { currentRecord } from "./record.ts";

/**
 * Returns the image or tar file that a chroot was made from, also by way of other chroots; null where it was made from
 * something else, or the configuration trusts images.
 *
 * @param origin As a record has it. Where it leads to a chroot that is gone, it is returned itself.
 */
export async function strangerOf(
  { host, config: { store, trust_images } }: Pick<ChrootContext, "host" | "config">,
  origin: string,
): Promise<string | null> {
  const seen = new Set<string>();
  let source = trust_images ? "" : origin;
  while (source.startsWith(EXTENDS)) {
    const base = source.slice(EXTENDS.length);
    if (seen.has(base) || !isChrootName(base)) return origin;
    seen.add(base);
    const record = await currentRecord(host, store, base);
    if (record === null) {
      // Without a record, another program of the administrator made it.
      return await host.files.lstat(chrootPaths(store, base).path) === null ? origin : null;
    }
    source = record.origin;
  }
  return /^(?:docker|oci|tar):/.test(source) ? source : null;
}

const EXTENDS = "extends:";
