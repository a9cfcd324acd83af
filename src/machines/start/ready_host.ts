/** What a start knows of the host: gathered once, in parallel, before anything is reserved. */

import type { Host } from "../../host/host.ts";
import { callingRunner, type KernelFacts, kernelFacts, parseStat } from "../../linux/proc.ts";
import type { ProcessId } from "../../linux/proc.ts";
import { freeBytes } from "../end/free_space.ts";
import { chooseNetwork, type ChosenNetwork } from "../network/choose.ts";
import type { MachinePlan } from "../record/plan.ts";
import { supervisorOfHost } from "../supervisor/choose.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

/** The host as it was found. */
export interface HostSurvey {
  readonly kernel: KernelFacts;
  /** The process whose end also ends the machine; null where there is none. */
  readonly runner: ProcessId | null;
  readonly supervisor: Supervisor;
  /** Free bytes on the store's disk: `Infinity` where none are reserved, NaN where df(1) does not know. */
  readonly freeBytes: number;
}

/** The host once a machine can start on it: the rules of its network are loaded. */
export interface ReadyHost extends HostSurvey {
  readonly network: ChosenNetwork;
}

/**
 * Surveys the host and readies its network for a machine, in parallel.
 *
 * @param tidy Runs after the survey, in parallel to the network.
 * @throws {Failure} of the host where the plan demands a private network and the host cannot have one.
 */
export async function readyHost(
  host: Host,
  plan: MachinePlan,
  tidy: (survey: HostSurvey) => Promise<void> = () => Promise.resolve(),
): Promise<ReadyHost> {
  const tidied = async () => {
    const survey = await surveyHost(host, plan);
    await tidy(survey);
    return survey;
  };
  const { settings, networks, job } = plan;
  // The network takes longest, so it begins first.
  const both = [chooseNetwork(host, settings.network, networks, job.url), tidied()] as const;
  await Promise.allSettled(both); // nothing goes on behind the failure of the other one
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
