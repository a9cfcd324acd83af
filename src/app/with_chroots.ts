import { allTrees } from "../chroots/generations/all_trees.ts";
import type { ChrootMachines } from "../chroots/generations/machines_port.ts";
import type { ChrootContext } from "../chroots/generations/context.ts";
import type { Context } from "./command.ts";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { removeUnusedShiftedLayers } from "../machines/storage/shifted/remove_unused.ts";
import { listLeases } from "../machines/record/lease.ts";
import { kernelFacts } from "../linux/proc.ts";
import { whileReserving } from "../machines/record/lock.ts";
import { removeMachine } from "../machines/end/stop.ts";
import { endOverdue } from "../machines/end/overdue.ts";
import { interruptible } from "./interrupt.ts";
import { smokeTest } from "./trial.ts";

/**
 * Who uses chroots: machines, as their leases tell.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @returns What tells them.
 */
function machinesPort(host: Host, store: string): ChrootMachines {
  return {
    list: async () =>
      (await listLeases(host, store)).map(({ machine, chroot, storage, preparer }) => ({
        machine,
        chroot,
        storage,
        starting: preparer !== null,
      })),
    async whileNoneStarts(act) {
      await host.files.makeDirectory(store, 0o755);
      return await whileReserving(host, act);
    },
  };
}

/** Machines that nobody watches over any more use chroots, too: those of a build that was killed, for one. */
async function endOverdueMachines(host: Host, store: string): Promise<void> {
  const leases = await listLeases(host, store);
  if (leases.length === 0) return;
  const { boot } = await kernelFacts(host);
  await endOverdue(host, leases, { boot, runner: null }, async ({ lease, reason }) => {
    host.log.step(`Ending machine ${lease.machine}: ${reason}`);
    await removeMachine(host, lease);
    return true;
  });
}

/**
 * Runs a work on chroots that a signal can interrupt.
 *
 * @param context What the command works with.
 * @param act The work.
 * @returns What it returns.
 */
export async function withChroots<T>(
  { host, config: load }: Context,
  act: (work: ChrootContext) => Promise<T>,
): Promise<T> {
  const config = await load();
  await endOverdueMachines(host, config.store);
  const users = machinesPort(host, config.store);
  const test = smokeTest(host, config);
  try {
    return await interruptible(
      host,
      (interrupt) => act({ host, config, machines: users, trial: test, interrupt }),
    );
  } finally {
    // What came of the work counts; gc tries again.
    await removeUnusedShiftedLayers(host, config.store, () => allTrees(host, config.store))
      .catch((error) => host.log.warn(messageOf(error)));
  }
}
