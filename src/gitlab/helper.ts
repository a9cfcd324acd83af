/** The gitlab-runner that a job's scripts call for artifacts and caches. */

import { isAbsolute, join } from "@std/path/posix";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";

const NAME = "gitlab-runner";

/** Where machines find it: before what their own packages brought, which may be of another version. */
export const HELPER_PATH = "/usr/local/bin/gitlab-runner";

/** Exits with 0 where the helper runs; says why it does not. */
export const HELPER_PROOF = new TextEncoder().encode("exec gitlab-runner --version >/dev/null\n");

/**
 * The host's own gitlab-runner: the one that called us, if it is installed as its manual says.
 *
 * @param host The outside.
 * @param configured What the configuration names.
 * @returns Its path without symlinks; null where there is none.
 * @throws {Failure} where the configuration names what is not there.
 */
export async function findHelper(
  host: Host,
  configured: string | undefined,
): Promise<string | null> {
  if (configured !== undefined) {
    const path = await programAt(host, configured);
    if (path !== null) return path;
    throw refused(`Cannot use gitlab_runner = "${configured}": no program is there`);
  }
  for (const folder of (host.env("PATH") ?? "").split(":")) {
    const path = isAbsolute(folder) ? await programAt(host, join(folder, NAME)) : null;
    if (path !== null) return path;
  }
  return null;
}

async function programAt(host: Host, path: string): Promise<string | null> {
  const stat = await host.files.stat(path);
  const runs = stat?.kind === "file" && (stat.mode & 0o111) !== 0;
  return runs ? await host.files.real(path) : null;
}

/**
 * Says that a job cannot have what it declares.
 *
 * @param why What is missing.
 * @returns The failure, to be thrown.
 */
export function noHelper(why: string): Error {
  return refused(
    `Cannot run the job: its artifacts or cache need gitlab-runner, and ${why}`,
    "Install gitlab-runner on the host or in the image, or name one: gitlab_runner in the configuration",
  );
}
