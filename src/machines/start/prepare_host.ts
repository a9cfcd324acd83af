/** The first step of a start: surveys the host and gets it ready, before anything is reserved for the machine. */

import type { Host } from "../../host/host.ts";
import { removeLeftovers } from "../end/housekeeping.ts";
import { chooseNetwork, type ChosenNetwork } from "../network/choose.ts";
import type { NetworkFacts } from "../network/private_network.ts";
import type { MachinePlan } from "../record/plan.ts";
import { refuseUnmounted } from "../record/refuse_unmounted.ts";
import { foreignStore } from "../record/store_owner.ts";
import { type HostSurvey, surveyHost } from "./survey.ts";

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
