/** The network of a host, a namespace of its own: the program's changes stay in it. */

import type { Folder } from "./folder.ts";
import { startDetached, until } from "./init_process.ts";

/** The address by which a host reaches this machine's loopback: slirp4netns(1). */
export const OUTER_ADDRESS = "10.0.2.2";

const TIMEOUT = 120_000;

/** Connects a host to this machine's network by slirp4netns(1), which changes nothing on this machine. */
export async function connectHost(folder: Folder, leader: number): Promise<void> {
  const pid = await startDetached(folder, [
    ...["slirp4netns", "--configure", "--mtu=65520"],
    ...[`${leader}`, "tap0"],
  ]);
  await folder.record(pid);
  const isUp = await until(async () => {
    const routes = await Deno.readTextFile(`/proc/${leader}/net/route`);
    return /^tap0\t00000000\t/m.test(routes) || null;
  }, TIMEOUT);
  if (isUp === null) {
    const log = await Deno.readTextFile(`${folder.path}/log`);
    throw new Error(`slirp4netns did not connect the host within ${TIMEOUT} ms:\n${log}`);
  }
}
