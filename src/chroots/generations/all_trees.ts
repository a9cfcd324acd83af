/** All trees of a store. */

import type { Host } from "../../host/host.ts";
import { generationNumbers, generationPath } from "./record.ts";
import { isChrootName } from "../../config/chroot_name.ts";
import { buildsFolder, chrootPlaces, generationsFolder } from "./places.ts";

/**
 * All trees of a store: those in the making first, which become generations meanwhile.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @yields Paths, perhaps of nothing; some lead to the same tree.
 */
export async function* allTrees(host: Host, store: string): AsyncIterable<string> {
  const namesIn = async (folder: string) => (await host.files.list(folder)).filter(isChrootName);
  for (const name of await namesIn(buildsFolder(store))) yield chrootPlaces(store, name).tree;
  for (const name of await namesIn(store)) yield chrootPlaces(store, name).path;
  for (const name of await namesIn(generationsFolder(store))) {
    for (const number of await generationNumbers(host, store, name)) {
      yield generationPath(store, name, number);
    }
  }
}
