/** A source: a root file system in a tar file. */

import { refused } from "../../failure.ts";
import { unpackTar } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";
import type { Source } from "./source.ts";

/**
 * Returns a tar file as a source, in any compression that tar(1) supports.
 *
 * @param source `tar:PATH`
 * @throws {Failure} where there is no such file.
 */
export async function tarSource({ host }: ChrootContext, source: string): Promise<Source> {
  const path = source.slice("tar:".length);
  if ((await host.files.stat(path))?.kind !== "file") {
    throw refused(`Cannot use source ${source}: no such file`, "Correct source in the definition");
  }
  return {
    origin: source,
    how: `from ${path}`,
    pin: null,
    stranger: source,
    isImmutable: false,
    installsPackages: false,
    async fill(host, { tree }, interrupt) {
      await unpackTar(host, path, tree, interrupt);
      return null;
    },
  };
}
