import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { copyInto } from "../tree.ts";
import type { Source } from "./source.ts";

/**
 * A root file system in a folder, which is copied.
 *
 * @param host The outside.
 * @param path The folder.
 * @returns The source.
 * @throws {Failure} where there is no such folder.
 */
export async function dirSource(host: Host, path: string): Promise<Source> {
  if ((await host.files.stat(path))?.kind !== "directory") {
    throw refused(`Cannot use source dir:${path}: no such folder`);
  }
  return {
    origin: `dir:${path}`,
    how: `from ${path}`,
    fill: (host, { tree }, interrupt) => copyInto(host, path, tree, interrupt),
  };
}
