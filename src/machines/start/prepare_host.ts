/** The first step of a start: surveys the host, removes leftovers, and chooses a network, before anything is reserved. */

import type { MachineSettings } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { parseStat, type ProcessId } from "../../linux/proc.ts";
import { removeLeftovers } from "../end/housekeeping.ts";
import { chooseNetwork, type ChosenNetwork } from "../network/choose.ts";
import { examineNetwork, type NetworkFacts } from "../network/private_network.ts";
import type { MachinePlan } from "../record/plan.ts";
import { refuseUnmounted } from "../record/refuse_unmounted.ts";
import { foreignStore } from "../record/store_owner.ts";
import { raiseInotifyLimit } from "../supervisor/host_tables.ts";
import { type HostSurvey, surveyHost } from "./survey.ts";

/** What processes find out about the host while this one goes on. */
export interface HostFacts {
  readonly survey: Promise<HostSurvey>;
  /** Undefined where the configuration gives machines no network of their own. */
  readonly network: Promise<NetworkFacts> | undefined;
}

/**
 * Begins to gather what {@linkcode prepareHost} needs: the survey first, since a start waits for it first.
 *
 * @param store The folder of the machine's writes.
 * @param diskReserve Bytes that have to be free on its disk.
 */
export function gatherFacts(
  host: Host,
  store: string,
  diskReserve: number,
  choice: MachineSettings["network"],
): HostFacts {
  const survey = surveyHost(host, store, diskReserve);
  const network = choice === "host" || choice === "none" ? undefined : examineNetwork(host);
  for (const facts of [survey, network]) facts?.catch(() => {}); // they are awaited later
  return { survey, network };
}

/** A host that is ready for a reservation. The rules of its network may still be loading. */
export interface PreparedHost extends HostSurvey {
  readonly network: ChosenNetwork;
  /** The process whose end also ends the machine; null where there is none. */
  readonly runner: ProcessId | null;
}

/**
 * Removes what crashed jobs left; meanwhile chooses the machine's network.
 *
 * @param interrupt When aborted, no further leftover is removed.
 * @param facts What was gathered for this machine.
 * @throws {Failure} of the host where the store is not mounted or another host's, or where the plan demands a private
 *   network and the host cannot have one, which may also be known later, by the details of the network.
 */
export async function prepareHost(
  host: Host,
  plan: MachinePlan,
  interrupt: AbortSignal,
  facts = gatherFacts(host, plan.store, plan.diskReserve, plan.settings.network),
): Promise<PreparedHost> {
  const { name, store, settings, networks, job } = plan;
  const clean = async () => {
    const survey = await facts.survey;
    const { kernel: { boot, uptime, mounts }, supervisor: { kind: supervisor } } = survey;
    await refuseUnmounted(host, store, mounts);
    const failure = await foreignStore(host, store);
    if (failure !== null) throw failure;
    await raiseInotifyLimit(host, survey.inotifyInstances);
    const runner = runnerOf(plan, survey);
    await removeLeftovers(host, store, { boot, uptime, runner, supervisor }, name, interrupt);
    return { ...survey, runner };
  };
  const boot = facts.survey.then(({ kernel }) => kernel.boot);
  boot.catch(() => {}); // not every network needs it
  const known = { boot, examined: facts.network };
  const both = [chooseNetwork(host, settings, networks, job.url, known), clean()] as const;
  await Promise.allSettled(both); // where one fails, the other has ended as well
  const [network, survey] = await Promise.all(both);
  return { ...survey, network };
}

function runnerOf({ job }: MachinePlan, { kernel, gitlabRunner }: HostSurvey): ProcessId | null {
  switch (job.watcher) {
    case "gitlab-runner":
      return gitlabRunner;
    case "self":
      return parseStat(kernel.stat);
    case "none":
      return null;
  }
}
