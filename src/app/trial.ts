/** The trial of a new chroot: a machine starts from it, and the programs that every job needs run in it. */

import type { Trial } from "../chroots/generations/context.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { planForTrial } from "./machine_plan.ts";
import { type TrialMachine, withTrialMachine } from "./trial_machine.ts";

/** Scripts that have to succeed, in words that every shell reads, and what a failure means. */
const NEEDS = [
  {
    script: "exit 0\n",
    failure: "its shell does not run in it",
    hint: "Set another shell in the definition: shell",
  },
  {
    script: "git --version >/dev/null\n",
    failure: "git does not run in it",
    hint:
      'Install it by the definition, as with setup = ["apt-get update && apt-get install -y git"]',
  },
];

/** Returns the trial of new trees on this host. */
export function chrootTrial(host: Host, config: Config): Trial {
  return async (candidate, interrupt) => {
    const plan = planForTrial(host, config, candidate);
    const lease = await withTrialMachine(host, plan, interrupt, async (machine) => {
      for (const need of NEEDS) await checkNeed(machine, need, interrupt);
      return machine.lease;
    });
    if (lease.layer !== null) await prepareLayers(host, plan.store, candidate.tree, interrupt);
  };
}

async function checkNeed(
  machine: TrialMachine,
  { script, failure, hint }: (typeof NEEDS)[number],
  interrupt: AbortSignal,
): Promise<void> {
  const ending = await machine.run(script);
  if (interrupt.aborted) throw hostFailure("Cannot test the new tree: interrupted");
  if (ending.kind === "lost") throw hostFailure(`Cannot test the new tree: ${ending.reason}`);
  if (ending.kind !== "exited" || ending.code !== 0) {
    throw refused(`Cannot use the new tree: ${failure}`, hint);
  }
}

/** Makes the layers of the first machines; a failure is no reason to reject the tree, since jobs make them too. */
async function prepareLayers(
  host: Host,
  store: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  const { makeFirstShiftedLayers } = await import("../machines/storage/shifted/make.ts");
  await makeFirstShiftedLayers(host, store, tree, interrupt).catch((error) =>
    host.log.warn(messageOf(error))
  );
}
