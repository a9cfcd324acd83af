import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { runTool } from "../tool.ts";
import type { Source } from "./source.ts";

/**
 * A root file system in a tar file, compressed in any way that tar(1) knows.
 *
 * @param host The outside.
 * @param path The file.
 * @returns The source.
 * @throws {Failure} where there is no such file.
 */
export async function tarSource(host: Host, path: string): Promise<Source> {
  if ((await host.files.stat(path))?.kind !== "file") {
    throw refused(`Cannot use source tar:${path}: no such file`);
  }
  return {
    origin: `tar:${path}`,
    how: `from ${path}`,
    // tar itself takes the slash off absolute names, refuses `..`, and makes links that lead out last.
    fill: (host, { tree }, interrupt) =>
      runTool(
        host,
        [
          "tar",
          "--extract",
          `--file=${path}`,
          `--directory=${tree}`,
          "--numeric-owner",
          "--same-permissions",
          "--xattrs",
          "--xattrs-include=*",
          "--force-local", // a colon in the name is no host's
        ],
        {},
        interrupt,
      ),
  };
}
