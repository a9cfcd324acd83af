/** A source: a root file system in a folder. */

import { refused } from "../../failure.ts";
import { copyInto } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";
import { strangerOf } from "../generations/stranger.ts";
import type { Source } from "./source.ts";

/**
 * Returns a folder as a source: it is copied.
 *
 * @param source `dir:PATH`
 * @throws {Failure} where there is no such folder.
 */
export async function dirSource({ host }: ChrootContext, source: string): Promise<Source> {
  const path = source.slice("dir:".length);
  if ((await host.files.stat(path))?.kind !== "directory") {
    throw refused(
      `Cannot use source ${source}: no such folder`,
      "Correct source in the definition",
    );
  }
  return {
    origin: source,
    how: `from ${path}`,
    pin: null,
    stranger: await strangerOf(host, await host.files.real(path) ?? path),
    isImmutable: false,
    installsPackages: false,
    async fill(host, { tree }, interrupt) {
      await copyInto(host, path, tree, interrupt);
      return null;
    },
  };
}
