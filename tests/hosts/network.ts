/** A network of a host's own: what the program changes there, this machine never sees. */

import type { Folder } from "./folder.ts";
import { startApart, until } from "./leader.ts";

/** Where a host finds what listens on this machine's loopback: slirp4netns(1). */
export const OUTSIDE = "10.0.2.2";

const PATIENCE = 120_000;

/**
 * Connects a host to this machine's network by a process that forwards what it sends: nothing is changed
 * on this machine.
 *
 * @param folder The host's outer side.
 * @param leader Its PID 1, with a network namespace of its own.
 */
export async function connectHost(folder: Folder, leader: number): Promise<void> {
  const pid = await startApart(folder, [
    ...["slirp4netns", "--configure", "--mtu=65520"],
    ...[`${leader}`, "tap0"],
  ]);
  await folder.record(pid);
  const isUp = await until(async () => {
    const routes = await Deno.readTextFile(`/proc/${leader}/net/route`);
    return /^tap0\t00000000\t/m.test(routes) || null;
  }, PATIENCE);
  if (isUp === null) throw new Error(await Deno.readTextFile(`${folder.path}/log`));
}
