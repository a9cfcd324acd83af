/** Which network a new machine gets: by configuration, else what the host can do. */

import type { NetworkChoice } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { loopbackObstacles } from "./gitlab_on_loopback.ts";
import type { Network, NetworkPlan } from "../record/network.ts";
import { type Obstacle, preparePrivateNetwork } from "./private_network.ts";
import type { Resolvers } from "./resolv.ts";

/** What a new machine gets. */
export interface ChosenNetwork {
  readonly kind: Network["kind"];
  readonly resolvers: Resolvers;
  readonly ipv6: boolean;
  /** What the job's log is to say. */
  readonly notes: readonly string[];
}

/** nspawn's machine asks whom the host asks. */
const SHARED = {
  resolvers: { servers: [], hasFile: true, isHosts: true, onlyStubs: false, options: [] },
  ipv6: false,
  notes: [],
};

/**
 * Chooses, and makes the host ready for it.
 *
 * @param host The outside.
 * @param choice What the configuration or the job says.
 * @param plan What private networks have in common.
 * @param server Where the job's repository is; undefined where there is none.
 * @returns The choice.
 * @throws {Failure} of the host where a private network is asked for by name, and cannot be.
 */
export async function chooseNetwork(
  host: Host,
  choice: NetworkChoice,
  plan: NetworkPlan,
  server: string | undefined,
): Promise<ChosenNetwork> {
  if (choice === "host" || choice === "none") return { kind: choice, ...SHARED };
  const { obstacles, resolvers, ipv6 } = await preparePrivateNetwork(host, plan, "change");
  const all = [...obstacles, ...await loopbackObstacles(host, server)];
  const against = all.filter(({ hinders }) => hinders !== "little");
  if (choice === "auto" && against.length > 0) {
    return { kind: "host", ...SHARED, notes: [`Network of the host, since ${said(against)}`] };
  }
  const fatal = all.find(({ hinders }) => hinders === "all");
  if (fatal !== undefined) {
    throw hostFailure(`Cannot give the machine a network of its own: ${fatal.reason}`, fatal.fix);
  }
  const notes = all.length === 0 ? [] : [`Network: ${said(all)}`];
  return { kind: "private", resolvers, ipv6, notes };
}

function said(obstacles: readonly Obstacle[]): string {
  return obstacles.map(({ reason, fix }) => `${reason}. ${fix}`).join("; ");
}
