/** Garbage collection: overdue machines, leftovers without a lease, and what the retention policy gives up. */

import { recoverStore } from "../chroots/generations/recover.ts";
import type { Config } from "../config/settings.ts";
import { messageOf } from "../failure.ts";
import { recordRun } from "../history/last_runs.ts";
import { unkeptDays } from "../history/retention.ts";
import { foldDays } from "../history/totals.ts";
import type { Host } from "../host/host.ts";
import { removeImageLeftovers } from "../images/store/leftovers.ts";
import { removeImage } from "../images/store/remove.ts";
import { unkeptImages } from "../images/store/retention.ts";
import { type KernelFacts, kernelFacts } from "../linux/proc.ts";
import { moveFoldersAside, planEviction } from "../machines/end/evict_caches.ts";
import { findOrphans, moveOrphanAside } from "../machines/end/orphans.ts";
import { endOverdue, type Overdue } from "../machines/end/overdue.ts";
import { finishRemoval, isBeingRemoved, listOldRemovals } from "../machines/end/removal.ts";
import { removeMachine } from "../machines/end/stop.ts";
import { type Lease, listLeases } from "../machines/record/lease.ts";
import { unlessMachineLocked } from "../machines/record/lock.ts";
import { abandonedPipelines } from "../machines/record/pipelines.ts";
import { refuseUnmounted } from "../machines/record/refuse_unmounted.ts";
import { foreignStore } from "../machines/record/store_owner.ts";
import { removeUnusedShiftedLayers } from "../machines/storage/shifted/remove_unused.ts";
import { isRunning } from "../machines/supervisor/choose.ts";
import { treesOfShiftedLayers } from "./trees_of_shifted_layers.ts";

/** One run of the garbage collection. */
export interface Collection {
  readonly host: Host;
  readonly config: Config;
  /** Whether nothing is changed. */
  readonly dryRun: boolean;
  /** Called before each removal. */
  readonly report: (what: string, why: string) => void;
}

/**
 * Removes what no job needs any more. A failure is logged, and the rest goes on.
 *
 * @throws {Failure} of the host where the store's disk is not mounted, or another host uses the store.
 * @returns How many failures there were.
 */
export async function collectGarbage(collection: Collection): Promise<number> {
  const { host, config: { store } } = collection;
  await refuseUnmounted(host, store);
  const failure = await foreignStore(host, store);
  if (failure !== null) throw failure;
  const facts = await kernelFacts(host);
  // Removals come last: how long one takes is up to the job that wrote the files.
  const removals = await interruptedRemovals(collection);
  const failures = await collectMachines(collection, facts) +
    await collectOrphans(collection, facts, removals);
  const { moved, kept: cacheBytes } = await collectFolders(collection);
  removals.push(...moved, ...await collectPipelines(collection));
  const kept = await collectImages(collection);
  const days = await collectHistory(collection);
  await collectTrees(collection);
  const all = failures + kept + days + await finishRemovals(collection, removals);
  if (!collection.dryRun) await recordRun(host, store, "gc", { failed: all > 0, cacheBytes });
  return all;
}

/** Removes images that the policy does not keep, and what pulls left; returns how many stay that should not. */
async function collectImages({ host, config, dryRun, report }: Collection): Promise<number> {
  const { store, images_max_size: size, images_max_age: age } = config;
  let failures = 0;
  const attempt = async (act: () => Promise<unknown>) => {
    try {
      await act();
    } catch (error) {
      failures++;
      host.log.warn(messageOf(error));
    }
  };
  for (const { id, name, reason } of await unkeptImages(host, store, { size, age })) {
    report(`image ${name}`, reason);
    if (!dryRun) await attempt(() => removeImage(host, store, id));
  }
  if (!dryRun) await attempt(() => removeImageLeftovers(host, store));
  return failures;
}

async function collectMachines(
  { host, config, dryRun, report }: Collection,
  { boot, uptime }: KernelFacts,
): Promise<number> {
  const state = { boot, uptime, runner: null, isRunning: (lease: Lease) => isRunning(host, lease) };
  const leases = await listLeases(host, config.store);
  return await endOverdue(host, leases, state, async ({ lease, reason }: Overdue) => {
    report(titleOf(lease), reason);
    if (!dryRun) await removeMachine(host, lease, reason);
    return !dryRun;
  });
}

function titleOf({ machine, service }: Lease): string {
  if (service === null) return `machine ${machine}`;
  return `machine ${machine}, service ${service.aliases.at(-1)} of ${service.job}`;
}

/** Moves what orphans wrote aside, and adds it to the removals. */
async function collectOrphans(
  { host, config: { store }, dryRun, report }: Collection,
  facts: KernelFacts,
  removals: string[],
): Promise<number> {
  let failures = 0;
  for (const orphan of await findOrphans(host, store, facts)) {
    const { machine, traces } = orphan;
    try {
      await unlessMachineLocked(host, machine, async () => {
        report(`leftovers of machine ${machine}`, `no record of it, but ${traces.join(", ")}`);
        if (dryRun) return "open";
        const aside = await moveOrphanAside(host, store, orphan);
        if (aside !== null) removals.push(aside);
        return "settled";
      });
    } catch (error) {
      failures++;
      host.log.warn(messageOf(error));
    }
  }
  return failures;
}

/** Returns the folders that were moved aside and that no process removes. */
async function interruptedRemovals(
  { host, config: { store }, report }: Collection,
): Promise<string[]> {
  const folders: string[] = [];
  for (const folder of await listOldRemovals(host, store)) {
    if (await isBeingRemoved(host, folder)) continue;
    report(folder, "its removal was interrupted");
    folders.push(folder);
  }
  return folders;
}

async function finishRemovals(
  { host, dryRun }: Collection,
  folders: readonly string[],
): Promise<number> {
  let failures = 0;
  for (const folder of dryRun ? [] : folders) {
    try {
      await finishRemoval(host, folder);
    } catch (error) {
      failures++;
      host.log.warn(messageOf(error));
    }
  }
  return failures;
}

/** Moves folders that the policy does not keep aside; returns their new paths, and the bytes of those that are kept. */
async function collectFolders({ host, config, dryRun, report }: Collection) {
  const { store, cache_max_size: size, cache_max_age: age } = config;
  const { candidates, kept } = await planEviction(host, store, { size, age });
  for (const { path, reason } of candidates) report(path, reason);
  return { moved: dryRun ? [] : await moveFoldersAside(host, store, candidates), kept };
}

/** Returns the folders of pipelines that were killed. */
async function collectPipelines({ host, config, report }: Collection): Promise<string[]> {
  const folders = await abandonedPipelines(host, config.store);
  for (const folder of folders) report(folder, "its pipeline was killed");
  return folders;
}

/** Removes days of the history that the policy does not keep, and that the totals have; returns how many failures there were. */
async function collectHistory({ host, config, dryRun, report }: Collection): Promise<number> {
  const { store, history_max_size: size, history_max_age: age } = config;
  try {
    if (!dryRun) await foldDays(host, store);
    for (const { path, reason } of await unkeptDays(host, store, { size, age })) {
      report(path, reason);
      if (!dryRun) await host.files.remove(path);
    }
    return 0;
  } catch (error) {
    host.log.warn(messageOf(error));
    return 1;
  }
}

async function collectTrees({ host, config, dryRun, report }: Collection): Promise<void> {
  const { store } = config;
  if (!dryRun) await recoverStore(host, store);
  await removeUnusedShiftedLayers(
    host,
    store,
    () => treesOfShiftedLayers(host, store),
    (path, why) => {
      report(path, why);
      return !dryRun;
    },
  );
}
