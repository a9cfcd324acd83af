/** The last steps of every build: from a filled tree to the current generation. */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { MachineSettings } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import { diskUsage } from "../../linux/disk.ts";
import { syncTree } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";
import { addGeneration } from "../generations/publish.ts";
import { chrootPaths } from "../generations/paths.ts";
import type { GenerationRecord } from "../generations/record.ts";
import { finalizeTree } from "./finalize_tree.ts";

/** What is known of a tree once it is filled. */
export interface BuildResult
  extends Omit<GenerationRecord, "version" | "size" | "made" | "previous"> {
  /** The settings of the chroot's machines, with which the tree is tested. */
  readonly settings: MachineSettings;
}

/**
 * Finalizes and tests the tree in a chroot's build folder, and makes it the current generation. The
 * caller holds the chroot's lock and the build folder.
 *
 * @returns The generation's number.
 * @throws {Failure} where jobs could not run in the tree.
 */
export async function finishBuild(
  context: ChrootContext,
  name: ChrootName,
  { settings, ...result }: BuildResult,
): Promise<number> {
  const { host, config: { store }, interrupt } = context;
  const { tree } = chrootPaths(store, name);
  await finalizeTree(host, tree);
  host.log.info("Testing the new tree: a machine starts, shell and git run");
  const { image, stranger } = result;
  await context.trial({ name, tree, settings, image, stranger }, interrupt);
  const size = await diskUsage(host, tree);
  await syncTree(host, tree);
  if (interrupt.aborted) throw hostFailure("Cannot finish the build: interrupted");
  const made = new Date(host.clock.now()).toISOString();
  return await addGeneration(context, name, { ...result, size, made });
}
