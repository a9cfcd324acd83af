/** Chooses the network of a new machine: by the configuration, else by what the host can do. */

import type { NetworkChoice } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { loopbackObstacles } from "./gitlab_on_loopback.ts";
import type { Network, NetworkPlan } from "../record/network.ts";
import { type Obstacle, preparePrivateNetwork } from "./private_network.ts";
import type { Resolvers } from "./resolv.ts";

/** The network of one new machine. */
export interface ChosenNetwork {
  readonly kind: Network["kind"];
  readonly resolvers: Resolvers;
  readonly ipv6: boolean;
  /** Lines for the job's log. */
  readonly notes: readonly string[];
}

/** The machine uses the host's name servers. */
const HOST_NETWORK = {
  resolvers: { servers: [], hasFile: true, isHostFile: true, onlyStubs: false, options: [] },
  ipv6: false,
  notes: [],
};

/**
 * Chooses a network, and prepares the host for a private one.
 *
 * @param server The origin of the repository's URL; undefined without a repository.
 * @throws {Failure} of the host where `private` is configured, and this host cannot have it.
 */
export async function chooseNetwork(
  host: Host,
  choice: NetworkChoice,
  plan: NetworkPlan,
  server: string | undefined,
): Promise<ChosenNetwork> {
  if (choice === "host" || choice === "none") return { kind: choice, ...HOST_NETWORK };
  const { obstacles, resolvers, ipv6 } = await preparePrivateNetwork(host, plan, "change");
  const all = [...obstacles, ...await loopbackObstacles(host, server)];
  const serious = all.filter(({ severity }) => severity !== "minor");
  if (choice === "auto" && serious.length > 0) {
    return {
      kind: "host",
      ...HOST_NETWORK,
      notes: [`Network of the host, since ${describe(serious)}`],
    };
  }
  const fatal = all.find(({ severity }) => severity === "fatal");
  if (fatal !== undefined) {
    throw hostFailure(`Cannot give the machine a network of its own: ${fatal.reason}`, fatal.fix);
  }
  const notes = all.length === 0 ? [] : [`Network: ${describe(all)}`];
  return { kind: "private", resolvers, ipv6, notes };
}

function describe(obstacles: readonly Obstacle[]): string {
  return obstacles.map(({ reason, fix }) => `${reason}. ${fix}`).join("; ");
}
