/** Finds out what this host can do, by trying it. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Captured, Host } from "../../host/host.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { whileProbing } from "./lock.ts";

/**
 * Returns whether the host can do something on a file system, by one attempt. The answer is stored until the host
 * reboots; of several processes that need it at once, one makes the attempt and the others wait.
 *
 * @param path A path on the file system.
 * @param interrupt When aborted, ends the wait for another process's attempt.
 * @throws {Failure} of the host where the attempt was interrupted, or the path was removed meanwhile.
 */
export async function probe(
  host: Host,
  topic: "idmap" | "overlay" | "shift" | "tree",
  path: string,
  attempt: () => Promise<boolean>,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const answer = join(RUNTIME_FOLDER, `.${topic}-${(await host.files.stat(path))?.dev ?? 0}`);
  const known = await host.files.read(answer);
  if (known !== null) return known === YES;
  return await whileProbing(host, async () => {
    const known = await host.files.read(answer);
    if (known !== null) return known === YES; // another process was faster
    const can = await attempt();
    if (!can && await host.files.stat(path) === null) {
      throw hostFailure(
        `Cannot find out what the file system of ${path} can do: it was removed`,
        "Try again",
      );
    }
    await host.files.replace(answer, can ? YES : "no");
    return can;
  }, interrupt);
}

const YES = "yes";

/**
 * Returns whether the process of an attempt succeeded and printed the right output.
 *
 * @throws {Failure} of the host where the process was killed by a signal, so that the attempt proves nothing.
 */
export function probeResult({ code }: Pick<Captured, "code">, isRight: boolean): boolean {
  if (code > 128) throw hostFailure("Cannot find out what this host can do: interrupted");
  return code === 0 && isRight;
}
