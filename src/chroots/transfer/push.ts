/** Puts a chroot into a registry, from where any number of hosts take it. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Chroot } from "../find/chroot.ts";
import { currentRecord } from "../build/create.ts";
import { currentTree } from "../find/lookup.ts";
import { parseImageConfig } from "../generations/oci_config.ts";
import { whileLocked } from "../generations/lock.ts";
import {
  copyImage,
  digestOf,
  layoutImage,
  packImage,
  requireImageTools,
} from "../sources/registry.ts";
import { inScratch } from "../generations/scratch.ts";
import { packTar } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";

/** REGISTRY/REPOSITORY:TAG, where the registry has a dot, a port, or is this very host. */
const TARGET =
  /^(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9.-]+(?=:\d))(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)+:\w[\w.-]{0,127}$/;

/**
 * Puts the current generation of a chroot into a registry, as an image of one layer.
 *
 * @param work How it is worked.
 * @param chroot The chroot.
 * @param target `REGISTRY/REPOSITORY:TAG`
 * @returns The image's digest: the same generation has the same one, whenever it is pushed.
 * @throws {Failure} where that is no such name, or the registry does not take it.
 */
export async function pushChroot(
  work: ChrootContext,
  chroot: Chroot,
  target: string,
): Promise<string> {
  const { host, config: { store }, interrupt } = work;
  if (!TARGET.test(target)) {
    throw refused(
      `Cannot push to ${JSON.stringify(target)}: it is no image of a registry`,
      "Write REGISTRY/REPOSITORY:TAG, like registry.example.com/ci/bookworm:latest",
    );
  }
  await requireImageTools(host);
  return await whileLocked(
    work,
    chroot.name,
    () =>
      inScratch(host, store, chroot.name, async (scratch) => {
        const folder = join(scratch, "image");
        const layer = join(scratch, "layer.tar");
        const { path: tree } = await currentTree(host, store, chroot.name);
        host.log.info(`Packing ${tree}`);
        await packTar(host, tree, layer, interrupt);
        const { made = EPOCH, image } = await currentRecord(work, chroot.name) ?? {};
        const config = image ?? parseImageConfig(null);
        await packImage(host, folder, { layer, config, made }, interrupt);
        host.log.info(`Pushing it to ${target}`);
        await copyImage(host, layoutImage(folder), `docker://${target}`, scratch, interrupt);
        return await digestOf(host, `docker://${target}`, interrupt);
      }),
  );
}

/** When a tree was made of which nobody knows that. */
const EPOCH = "1970-01-01T00:00:00.000Z";
