/** What a host can do, found out by a trial. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Captured, Host } from "../../host/host.ts";
import { RUNTIME } from "../../runtime_folder.ts";

/**
 * Whether a trial on a device succeeds. Its answer is kept until the host reboots.
 *
 * @param host The outside.
 * @param topic What is tried.
 * @param path A path on the device.
 * @param trial Tells it.
 * @returns Its answer.
 * @throws {Failure} where there is none.
 */
export async function succeeds(
  host: Host,
  topic: "idmap" | "overlay" | "shift",
  path: string,
  trial: () => Promise<boolean>,
): Promise<boolean> {
  const answer = join(RUNTIME, `.${topic}-${(await host.files.stat(path))?.dev ?? 0}`);
  const known = await host.files.read(answer);
  if (known !== null) return known === "yes";
  const can = await trial();
  await host.files.makeDirectory(RUNTIME);
  await host.files.replace(answer, can ? "yes" : "no");
  return can;
}

/**
 * What the end of a trial's process says.
 *
 * @param done How it ended.
 * @param isRight Whether it said what it is to say.
 * @returns Whether it succeeded.
 * @throws {Failure} of the host where it was killed, as we may be with it: that says nothing.
 */
export function verdict({ code }: Pick<Captured, "code">, isRight: boolean): boolean {
  if (code > 128) throw hostFailure("Cannot find out what this host can do: interrupted");
  return code === 0 && isRight;
}
