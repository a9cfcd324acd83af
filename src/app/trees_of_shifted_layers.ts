import { allTrees } from "../chroots/generations/all_trees.ts";
import type { Host } from "../host/host.ts";
import { factsPath } from "../images/store/paths.ts";
import { listIds } from "../images/store/record.ts";

/**
 * Lists what shifted layers of a store may belong to: the trees of all chroots, and all pulled images by their facts.
 *
 * @yields Paths, as {@linkcode allTrees}.
 */
export async function* treesOfShiftedLayers(host: Host, store: string): AsyncIterable<string> {
  yield* allTrees(host, store);
  for (const id of await listIds(host, store)) yield factsPath(store, id);
}
