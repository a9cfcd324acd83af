/** Where trees are made, so that an interrupt at any instant leaves nothing half done. */

import type { MachineSettings } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import { finalizeTree } from "./finalize_tree.ts";
import type { GenerationRecord } from "../generations/record.ts";
import { addGeneration } from "../generations/current.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { type ChrootPlaces, chrootPlaces } from "../generations/places.ts";
import { inScratch } from "../generations/scratch.ts";
import { sizeOfTree, syncTree } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";

/** What is known of a tree before it is complete. */
export interface BuildResult extends Pick<GenerationRecord, "origin" | "pin" | "recipe" | "image"> {
  /** Those of its machines. */
  readonly settings: MachineSettings;
}

/**
 * Makes a tree aside, tests it, and makes it the current generation; a failure leaves nothing. The
 * caller holds the chroot's lock.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param make Makes the tree.
 * @returns The number of the generation.
 */
export async function buildAside(
  work: ChrootContext,
  name: ChrootName,
  make: (places: ChrootPlaces) => Promise<BuildResult>,
): Promise<number> {
  const { host, config: { store }, interrupt } = work;
  return await inScratch(host, store, name, async () => {
    const places = chrootPlaces(store, name);
    const { tree } = places;
    const { settings, ...made } = await make(places);
    await finalizeTree(host, tree);
    host.log.info("Testing it: a machine starts, shell and git run");
    await work.trial({ name, tree, settings, image: made.image }, interrupt);
    const size = await sizeOfTree(host, tree);
    await syncTree(host, tree);
    if (interrupt.aborted) throw hostFailure("Cannot go on: interrupted");
    const now = new Date(host.clock.now()).toISOString();
    return await addGeneration(work, name, { ...made, size, made: now });
  });
}
