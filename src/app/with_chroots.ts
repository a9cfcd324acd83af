/** What commands on chroots share: signals, the view of machines, and housekeeping. */

import type { ChrootContext } from "../chroots/generations/context.ts";
import type { ChrootMachine, ChrootMachines } from "../chroots/generations/chroot_machines.ts";
import type { Config } from "../config/settings.ts";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { kernelFacts } from "../linux/proc.ts";
import { endOverdue } from "../machines/end/overdue.ts";
import { removeMachine } from "../machines/end/stop.ts";
import { type CommonLease, leasesOfHost, listLeases } from "../machines/record/lease.ts";
import { whileReserving } from "../machines/record/lock.ts";
import { refuseUnmounted } from "../machines/record/refuse_unmounted.ts";
import { refuseOtherHost } from "../machines/record/store_owner.ts";
import {
  removeShiftedLayersOf,
  removeUnusedShiftedLayers,
} from "../machines/storage/shifted/remove_unused.ts";
import { buildMachines } from "./build_machine.ts";
import type { Context } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { chrootTrial } from "./trial.ts";
import { treesOfShiftedLayers } from "./trees_of_shifted_layers.ts";

/**
 * Runs a command on chroots, which a signal interrupts. The command changes nothing but what `act`
 * changes.
 */
export async function withChroots<T>(
  { host, config: load }: Context,
  act: (context: ChrootContext) => Promise<T>,
): Promise<T> {
  const config = await usableConfig(host, load);
  const machines = machinesOfStore(host, config.store);
  const trial = chrootTrial(host, config);
  const withBuildMachine = buildMachines(host, config);
  return await interruptible(
    host,
    (interrupt) => act({ host, config, machines, trial, withBuildMachine, interrupt }),
  );
}

/**
 * Runs a command that makes or removes trees. Overdue machines are ended first, since they keep
 * trees in use that a killed build left; shifted layers of removed trees are removed afterwards.
 */
export async function withChrootHousekeeping<T>(
  context: Context,
  act: (context: ChrootContext) => Promise<T>,
): Promise<T> {
  const { host } = context;
  const { store } = await usableConfig(host, context.config);
  await endOverdueMachines(host, store);
  try {
    return await withChroots(context, act);
  } finally {
    // A failure here does not undo the result, and gc tries again.
    await removeUnusedShiftedLayers(host, store, () => treesOfShiftedLayers(host, store))
      .catch((error) => host.log.warn(messageOf(error)));
  }
}

/** Returns the configuration, unless its store is not there or another host uses it. */
async function usableConfig(host: Host, load: Context["config"]): Promise<Config> {
  const config = await load();
  await refuseUnmounted(host, config.store);
  await refuseOtherHost(host, config.store);
  return config;
}

/** Implements the port through which chroots see machines. A chroot of one store may be a symlink into another. */
function machinesOfStore(host: Host, store: string): ChrootMachines {
  return {
    list: async () => (await leasesOfHost(host, store)).flatMap(usesOf),
    async whileNoneStarts(act) {
      await host.files.makeDirectory(store, 0o755);
      return await whileReserving(host, act);
    },
    dropLayers: (tree) => removeShiftedLayersOf(host, store, tree),
  };
}

/** Returns the trees that a machine uses: its chroot, and the helper root where it has one. */
function usesOf({ machine, chroot, helper, storage, preparer }: CommonLease): ChrootMachine[] {
  const starting = preparer !== null;
  const own = { machine, chroot, storage, starting };
  if (helper === null) return [own];
  // It is mounted as it is, whatever the storage of the machine's own root.
  return [own, { machine, chroot: { name: helper, path: helper }, storage: "tree", starting }];
}

async function endOverdueMachines(host: Host, store: string): Promise<void> {
  const leases = await listLeases(host, store);
  if (leases.length === 0) return;
  const { boot, uptime } = await kernelFacts(host);
  await endOverdue(host, leases, { boot, uptime, runner: null }, async ({ lease, reason }) => {
    host.log.step(`Ending machine ${lease.machine}: ${reason}`);
    await removeMachine(host, lease, reason);
    return true;
  });
}
