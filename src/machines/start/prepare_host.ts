/** The first step of a start: surveys the host and gets it ready, before anything is reserved for the machine. */

import type { Host } from "../../host/host.ts";
import { callingRunner, type KernelFacts, kernelFacts, parseStat } from "../../linux/proc.ts";
import type { ProcessId } from "../../linux/proc.ts";
import { freeBytes } from "../end/free_space.ts";
import { removeLeftovers } from "../end/housekeeping.ts";
import { chooseNetwork, type ChosenNetwork } from "../network/choose.ts";
import type { NetworkFacts } from "../network/private_network.ts";
import type { MachinePlan } from "../record/plan.ts";
import { refuseUnmounted } from "../record/refuse_unmounted.ts";
import { foreignStore } from "../record/store_owner.ts";
import { supervisorOfHost } from "../supervisor/choose.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

/** Facts about the host that decide how the machine starts. */
interface HostSurvey {
  readonly kernel: KernelFacts;
  /** The process whose end also ends the machine; null where there is none. */
  readonly runner: ProcessId | null;
  readonly supervisor: Supervisor;
  /** Free bytes on the store's disk: `Infinity` where none are reserved, NaN where df(1) does not know. */
  readonly freeBytes: number;
}

/** A host that is ready for the machine: the rules of its network are loaded. */
export interface PreparedHost extends HostSurvey {
  readonly network: ChosenNetwork;
}

/**
 * Surveys the host, then removes what crashed jobs left; meanwhile chooses the machine's network and loads its rules.
 *
 * @param interrupt When aborted, no further leftover is removed.
 * @param examined What an examination of the host's network finds that began earlier.
 * @throws {Failure} of the host where the store is not mounted or another host's, or where the plan demands a private
 *   network and the host cannot have one.
 */
export async function prepareHost(
  host: Host,
  plan: MachinePlan,
  interrupt: AbortSignal,
  examined?: Promise<NetworkFacts>,
): Promise<PreparedHost> {
  const { name, store, settings, networks, job } = plan;
  const surveyAndClean = async () => {
    const survey = await surveyHost(host, plan);
    await refuseUnmounted(host, store, survey.kernel.mounts);
    const failure = await foreignStore(host, store);
    if (failure !== null) throw failure;
    const { kernel: { boot, uptime }, runner, supervisor: { kind: supervisor } } = survey;
    await removeLeftovers(host, store, { boot, uptime, runner, supervisor }, name, interrupt);
    return survey;
  };
  // The network takes longest, so it begins first.
  const both = [
    chooseNetwork(host, settings, networks, job.url, examined),
    surveyAndClean(),
  ] as const;
  await Promise.allSettled(both); // where one fails, the other must not go on in the background
  const [network, survey] = await Promise.all(both);
  return { ...survey, network };
}

async function surveyHost(host: Host, { store, job, diskReserve }: MachinePlan) {
  const [kernel, caller, supervisor, free] = await Promise.all([
    kernelFacts(host),
    job.watcher === "gitlab-runner" ? callingRunner(host) : null,
    supervisorOfHost(host),
    diskReserve === 0 ? Infinity : freeBytes(host, store),
  ]);
  const runner = job.watcher === "self" ? parseStat(kernel.stat) : caller;
  return { kernel, runner, supervisor, freeBytes: free };
}
