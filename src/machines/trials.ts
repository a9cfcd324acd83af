/** What a host can do, found out by a trial. */

import { join } from "@std/path/posix";
import type { Captured, Host } from "../host/host.ts";
import { RUNTIME } from "./paths.ts";

/**
 * Whether a trial on a device succeeds. Its answer is kept until the host reboots.
 *
 * @param host The outside.
 * @param topic What is tried.
 * @param path A path on the device.
 * @param trial Tells it; null where it was interrupted, which is no answer to keep.
 * @returns False also without an answer.
 */
export async function succeeds(
  host: Host,
  topic: "idmap" | "overlay" | "shift",
  path: string,
  trial: () => Promise<boolean | null>,
): Promise<boolean> {
  const answer = join(RUNTIME, `.${topic}-${(await host.files.stat(path))?.dev ?? 0}`);
  const known = await host.files.read(answer);
  if (known !== null) return known === "yes";
  const can = await trial();
  if (can === null) return false;
  await host.files.makeDirectory(RUNTIME);
  await host.files.replace(answer, can ? "yes" : "no");
  return can;
}

/**
 * What the end of a trial's process says.
 *
 * @param done How it ended.
 * @param isRight Whether it said what it is to say.
 * @returns Null for one that was killed, as we may be with it.
 */
export function verdict({ code }: Pick<Captured, "code">, isRight: boolean): boolean | null {
  return code > 128 ? null : code === 0 && isRight;
}
