/** Sources that strangers made, whose programs are not trusted with the host. */

import type { Host } from "../../host/host.ts";
import { readRecordOf } from "./record.ts";

/**
 * Returns the image or tar file from which the programs of a tree came, also by way of other chroots; null for a tree of the
 * administrator's, such as a suite or a tree that another program made.
 *
 * @param tree A path without symlinks: of a generation, a folder of the host or anything below.
 */
export async function strangerOf(host: Host, tree: string): Promise<string | null> {
  const generation = tree.match(GENERATION)?.[0];
  if (generation === undefined) return null;
  const record = await readRecordOf(host, generation);
  return record === null ? `${generation}, which has no readable record` : record.stranger;
}

/** Generation 0 is a tree that another program made. */
const GENERATION = /^.*?\/\.generations\/[^/]+\/[1-9]\d{0,8}(?=\/|$)/;
