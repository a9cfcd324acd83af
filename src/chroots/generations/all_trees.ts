/** All trees of a store. */

import { isChrootName } from "../../config/chroot_name.ts";
import type { Host } from "../../host/host.ts";
import { buildsFolder, chrootPaths, generationsFolder } from "./paths.ts";
import { generationNumbers, generationPath } from "./record.ts";

/**
 * Lists all trees of a store. Builds come first: one may become a generation meanwhile, and is then
 * listed twice.
 *
 * @yields Paths; one may not exist, and several may lead to the same tree.
 */
export async function* allTrees(host: Host, store: string): AsyncIterable<string> {
  const namesIn = async (folder: string) => (await host.files.list(folder)).filter(isChrootName);
  for (const name of await namesIn(buildsFolder(store))) yield chrootPaths(store, name).tree;
  for (const name of await namesIn(store)) yield chrootPaths(store, name).path;
  for (const name of await namesIn(generationsFolder(store))) {
    for (const number of await generationNumbers(host, store, name)) {
      yield generationPath(store, name, number);
    }
  }
}
