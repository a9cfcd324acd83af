/** Pushes a chroot to a registry, from which other hosts pull it. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { isPushTarget } from "../../config/image_reference.ts";
import { refused } from "../../failure.ts";
import { packTar } from "../../linux/tree.ts";
import type { Chroot } from "../find/chroot.ts";
import { currentTree } from "../find/lookup.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import type { ChrootContext } from "../generations/context.ts";
import { whileChrootLocked } from "../generations/lock.ts";
import { parseImageConfig } from "../../images/store/image_config.ts";
import { currentRecord } from "../generations/record.ts";
import {
  copyImage,
  digestOf,
  layoutImage,
  packImage,
  requireImageTools,
} from "../sources/registry.ts";

/**
 * Pushes the current generation of a chroot to a registry, as an image of one layer.
 *
 * @param target `REGISTRY/REPOSITORY:TAG`
 * @returns The image's digest. It depends on the generation alone, not on when it is pushed.
 * @throws {Failure} where the target is no such name, or the registry does not accept the image.
 */
export async function pushChroot(
  context: ChrootContext,
  { name }: Chroot,
  target: string,
): Promise<string> {
  if (!isPushTarget(target)) {
    throw refused(
      `Cannot push to ${JSON.stringify(target)}: it is not an image of a registry`,
      "Write REGISTRY/REPOSITORY:TAG, like registry.example.com/ci/bookworm:latest",
    );
  }
  await requireImageTools(context.host);
  return await whileChrootLocked(context, name, () => pushLocked(context, name, target));
}

async function pushLocked(
  { host, config: { store }, interrupt }: ChrootContext,
  name: ChrootName,
  target: string,
): Promise<string> {
  await using build = await openBuildFolder(host, store, name);
  const { scratch } = build;
  const folder = join(scratch, "image");
  const layer = join(scratch, "layer.tar");
  const { path: tree } = await currentTree(host, store, name);
  host.log.info(`Packing ${tree}`);
  await packTar(host, tree, layer, interrupt);
  const { made = EPOCH, image } = await currentRecord(host, store, name) ?? {};
  const config = image ?? parseImageConfig(null);
  await packImage(host, folder, { layer, config, made }, interrupt);
  host.log.info(`Pushing to ${target}`);
  await copyImage(host, layoutImage(folder), `docker://${target}`, scratch, interrupt);
  return await digestOf(host, `docker://${target}`, interrupt);
}

/** The image's date where the tree's is unknown: any fixed date gives the same digest each time. */
const EPOCH = "1970-01-01T00:00:00.000Z";
