/** The files of the host that a build reads, as its definition names them. */

import { dirname, join } from "@std/path/posix";
import { layoutPath } from "../../config/image_reference.ts";
import type { Config } from "../../config/settings.ts";
import { hostFailure, refused } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { folderFinder } from "../../linux/lookup.ts";
import { runTool } from "../../linux/tool.ts";
import type { Recipe } from "../definition/recipe.ts";
import { definedPaths } from "../definition/defined_paths.ts";

/**
 * Refuses files that cannot be used, before anything is built: jobs could replace a file in a folder that they write
 * to by a link to any file of the host, and read that one in the chroot.
 *
 * @throws {Failure} that names the file.
 */
export async function checkHostFiles(host: Host, config: Config, recipe: Recipe): Promise<void> {
  const copied = Object.keys(recipe.build.copy ?? {});
  const paths = [...copied, ...sourcePaths(recipe)];
  if (paths.length === 0) return;
  const { writable } = await definedPaths(host, config);
  const finder = writable.length === 0 ? null : await folderFinder(host, writable);
  for (const path of paths) {
    const folder = await finder?.onPathOrInside(path);
    if (folder === undefined) continue;
    throw refused(
      `Cannot use ${path}: jobs can replace it, since they write to ${folder}`,
      "Move it to another folder; or look there for links that jobs left, and bind it with :ro",
    );
  }
  if (copied.length > 0) await checkCopied(host, copied);
}

/**
 * Returns the paths of the source and of the playbook, where these are files of the host; also the playbook's folder,
 * in which Ansible finds roles, variables and plugins that it runs as root of the host.
 */
function sourcePaths({ build: { source = "" }, playbook }: Recipe): string[] {
  const [, path] = source.match(/^(?:tar|dir|oci):(?:\/\/)?(\/.*)$/s) ?? [];
  const paths = path === undefined ? [] : [source.startsWith("oci:") ? layoutPath(path) : path];
  return playbook === null ? paths : [...paths, playbook.path, dirname(playbook.path)];
}

async function checkCopied(host: Host, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (await host.files.stat(path) !== null) continue;
    throw refused(`Cannot copy ${path}: no such file`, "Correct copy in the definition");
  }
  const device = await findFile(host, paths, ["-type", "b", "-o", "-type", "c"]);
  if (device === null) return;
  throw refused(
    `Cannot copy ${device}: it is a device, or a link to one`,
    "Leave it out of copy; a command in setup can make a link: ln -s TARGET PATH",
  );
}

/**
 * Copies files of the host beside the tree: a machine with user ids of its own sees them with their owners only on a
 * file system that can map these.
 *
 * @param folder Where the copies are made, each named by its number.
 */
export async function collectFiles(
  host: Host,
  files: readonly string[],
  folder: string,
  interrupt: AbortSignal,
): Promise<void> {
  await host.files.makeDirectory(folder);
  for (const [index, file] of files.entries()) {
    const argv: Argv = ["cp", "-RH", ...PRESERVE, "--", file, join(folder, `${index}`)];
    await runTool(host, argv, {}, interrupt);
  }
}

const PRESERVE = ["--preserve=all", "--reflink=auto", "--no-target-directory"] as const;

/**
 * Refuses files whose owner a machine cannot have: their copies would belong to nobody.
 *
 * @param ids How many user and group ids the machine has.
 */
export async function refuseForeignOwners(
  host: Host,
  paths: readonly string[],
  ids: number,
): Promise<void> {
  if (ids === Infinity) return;
  const above = `+${ids - 1}`;
  const file = await findFile(host, paths, ["-uid", above, "-o", "-gid", above]);
  if (file === null) return;
  throw refused(
    `Cannot copy ${file}: its owner or group is above ${ids - 1}, which no machine has`,
    "Give it another owner and group on the host, with chown",
  );
}

/**
 * Returns the first file that passes a test of find(1), among the paths and what is in them; null where there is none.
 * Of links the paths alone are followed, as by cp(1) below.
 */
async function findFile(
  host: Host,
  paths: readonly string[],
  test: readonly string[],
): Promise<string | null> {
  const argv: Argv = ["find", "-H", ...paths, "(", ...test, ")", "-print", "-quit"];
  const { code, stdout, stderr } = await host.processes.capture(argv);
  if (code !== 0) {
    throw hostFailure(
      `Cannot examine the files of copy: ${stderr.trim()}`,
      `See the reason: find -H ${paths.join(" ")}`,
    );
  }
  return stdout === "" ? null : stdout.trimEnd();
}
