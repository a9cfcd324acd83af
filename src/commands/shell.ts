import { locateTree } from "../chroots/generations/publish.ts";
import type { CommandRun } from "../app/command.ts";
import type { Host } from "../host/host.ts";
import { findMachine, openShell, type UsedTrees } from "../machines/use/shell.ts";
import { type Lease, listLeases, readLease } from "../machines/record/lease.ts";
import { jobMachineOf } from "../machines/record/shown_id.ts";
import { isPulledImage, treeAsLower } from "../machines/record/lower.ts";
import { whileMachineLocked } from "../machines/record/lock.ts";
import { removeMachine } from "../machines/end/stop.ts";

/** Opens a shell in a machine, or removes a held machine. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { store } = await load();
  const done = invocation.switches.has("done");
  const lease = await findMachine(host, store, invocation.positionals["id"]!, done);
  if (!done) {
    return { kind: "exited", code: await openShell(host, lease, await treesOf(host, lease)) };
  }
  await removeHeld(host, lease);
  return host.log.info(`Removed what was kept of job ${lease.job}`);
};

/** Removes what is kept of a job, also that of its services. */
async function removeHeld(host: Host, { store, ...lease }: Lease): Promise<void> {
  const job = jobMachineOf(lease);
  const all = (await listLeases(host, store)).filter((one) => jobMachineOf(one) === job);
  for (const { machine } of all) {
    await whileMachineLocked(host, machine, async () => {
      const now = await readLease(host, store, machine);
      if (now !== null) await removeMachine(host, now);
    });
  }
}

/** The tree of a chroot may have been moved since. */
async function treesOf(host: Host, { chroot, helper, store }: Lease): Promise<UsedTrees> {
  return {
    lower: isPulledImage(chroot)
      ? chroot.lower
      : treeAsLower(await locateTree(host, store, chroot.path)),
    helper: helper && await locateTree(host, store, helper),
  };
}
