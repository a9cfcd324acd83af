/** The gitlab-runner inside a machine, which a job's scripts call for artifacts and caches. */

import { isAbsolute, join } from "@std/path/posix";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";

const NAME = "gitlab-runner";

/** Where the machine sees it: earlier on PATH than a gitlab-runner of the chroot's packages, in /usr/bin. */
export const RUNNER_PATH = "/usr/local/bin/gitlab-runner";

/** A script that exits with 0 if gitlab-runner runs in the machine, and prints why it does not. */
export const RUNNER_CHECK = new TextEncoder().encode("exec gitlab-runner --version >/dev/null\n");

/**
 * Finds the host's gitlab-runner: the configured one, or the first on PATH.
 *
 * @param configured The setting `gitlab_runner`.
 * @returns Its path without symlinks; null if there is none.
 * @throws {Failure} if the configured path is no program.
 */
export async function findRunnerProgram(
  host: Host,
  configured: string | undefined,
): Promise<string | null> {
  if (configured !== undefined) {
    const path = await programAt(host, configured);
    if (path !== null) return path;
    throw refused(
      `Cannot use gitlab_runner = "${configured}": no program is there`,
      "Install gitlab-runner there, or correct the path",
    );
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

/** Returns the failure of a job that needs gitlab-runner in its machine and cannot have it. */
export function runnerMissing(why: string): Error {
  return refused(
    `Cannot run the job: its artifacts or cache need gitlab-runner, and ${why}`,
    "Install gitlab-runner on the host or in the image, or name one: gitlab_runner in the configuration",
  );
}
