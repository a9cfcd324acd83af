/** Finds out what this host can do, by trying it. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Captured, Host } from "../../host/host.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { whileProbing } from "./lock.ts";

/**
 * Returns whether a trial on a device succeeds. The answer is kept until the host reboots; of several calls at
 * once one tries, and the others wait for its answer.
 *
 * @param path A path on the device.
 * @param interrupt Ends the wait for another process's trial when aborted.
 * @throws {Failure} of the host where there is no answer: the trial was interrupted, or the path was removed meanwhile.
 */
export async function probe(
  host: Host,
  topic: "idmap" | "overlay" | "shift",
  path: string,
  trial: () => Promise<boolean>,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const answer = join(RUNTIME_FOLDER, `.${topic}-${(await host.files.stat(path))?.dev ?? 0}`);
  const known = await host.files.read(answer);
  if (known !== null) return known === YES;
  return await whileProbing(host, async () => {
    const known = await host.files.read(answer);
    if (known !== null) return known === YES; // another process was faster
    const can = await trial();
    if (!can && await host.files.stat(path) === null) {
      throw hostFailure(`Cannot find out what this host can do: ${path} was removed`);
    }
    await host.files.replace(answer, can ? YES : "no");
    return can;
  }, interrupt);
}

const YES = "yes";

/**
 * Returns whether the process of a trial succeeded and printed what it should.
 *
 * @throws {Failure} of the host where it was killed, as this process may be with it: that is no answer.
 */
export function probeResult({ code }: Pick<Captured, "code">, isRight: boolean): boolean {
  if (code > 128) throw hostFailure("Cannot find out what this host can do: interrupted");
  return code === 0 && isRight;
}
