import { locateTree } from "../chroots/generations/publish.ts";
import type { CommandRun } from "../app/command.ts";
import type { Host } from "../host/host.ts";
import { findMachine, openShell } from "../machines/use/shell.ts";
import { type Lease, readLease } from "../machines/record/lease.ts";
import { isPulledImage, type Lower, treeAsLower } from "../machines/record/lower.ts";
import { whileMachineLocked } from "../machines/record/lock.ts";
import { removeMachine } from "../machines/end/stop.ts";

/** Opens a shell in a machine, or removes a held machine. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { store } = await load();
  const done = invocation.switches.has("done");
  const lease = await findMachine(host, store, invocation.positionals["id"]!, done);
  if (!done) {
    return { kind: "exited", code: await openShell(host, lease, await lowerOf(host, lease)) };
  }
  await whileMachineLocked(host, lease.machine, async () => {
    const now = await readLease(host, store, lease.machine);
    if (now !== null) await removeMachine(host, now);
  });
  return host.log.info(`Removed what was kept of job ${lease.job}`);
};

/** The tree of a chroot may have been moved since. */
async function lowerOf(host: Host, { chroot, store }: Lease): Promise<Lower> {
  if (isPulledImage(chroot)) return chroot.lower;
  return treeAsLower(await locateTree(host, store, chroot.path));
}
