import { recoverStore } from "../chroots/generations/recover.ts";
import { allTrees } from "../chroots/generations/all_trees.ts";
import type { CommandRun } from "../app/command.ts";
import { Failure, messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { evictFolders, evictionCandidates } from "../machines/end/evict_caches.ts";
import { type KernelFacts, kernelFacts } from "../linux/proc.ts";
import { removeUnusedShiftedLayers } from "../machines/storage/shifted/remove_unused.ts";
import { type Lease, listLeases } from "../machines/record/lease.ts";
import { unlessLocked } from "../machines/record/lock.ts";
import { findOrphans, removeOrphan } from "../machines/end/orphans.ts";
import { removeMachine } from "../machines/end/stop.ts";
import { isRunning } from "../machines/supervisor/choose.ts";
import { endOverdue } from "../machines/end/overdue.ts";

/** Ends machines whose time is over, and removes what nobody has a record of or needs any more. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const config = await load();
  const { store } = config;
  const dryRun = invocation.switches.has("dry-run");
  const facts = await kernelFacts(host);
  const say = (what: string, why: string) =>
    host.terminal.out(`${dryRun ? "Would remove" : "Removing"} ${what}: ${why}\n`);

  const present = {
    boot: facts.boot,
    runner: null,
    isRunning: (lease: Lease) => isRunning(host, lease),
  };
  const leases = await listLeases(host, store);
  let failures = await endOverdue(host, leases, present, async ({ lease, reason }) => {
    say(`machine ${lease.machine}`, reason);
    if (!dryRun) await removeMachine(host, lease);
    return !dryRun;
  });
  failures += await sweepOrphans(host, store, facts, dryRun, say);

  const keeping = { size: config.cache_max_size, age: config.cache_max_age };
  const spare = await evictionCandidates(host, store, keeping);
  for (const { path, reason } of spare) say(path, reason);
  if (!dryRun) {
    await evictFolders(host, store, spare);
    await recoverStore(host, store);
  }
  await removeUnusedShiftedLayers(host, store, () => allTrees(host, store), (path, why) => {
    say(path, why);
    return !dryRun;
  });
  if (failures > 0) {
    throw new Failure("host", `Cannot remove all: ${failures} failed`, "See the lines above");
  }
};

async function sweepOrphans(
  host: Host,
  store: string,
  facts: KernelFacts,
  dryRun: boolean,
  say: (what: string, why: string) => void,
): Promise<number> {
  let failures = 0;
  for (const orphan of await findOrphans(host, store, facts)) {
    try {
      // Who holds the lock starts or ends that machine at this moment.
      await unlessLocked(host, orphan.machine, async () => {
        say(
          `what is left of machine ${orphan.machine}`,
          `no record of it, but ${orphan.traces.join(", ")}`,
        );
        if (!dryRun) await removeOrphan(host, store, facts, orphan);
        return dryRun ? "open" : "settled";
      });
    } catch (error) {
      failures++;
      host.log.warn(messageOf(error));
    }
  }
  return failures;
}
