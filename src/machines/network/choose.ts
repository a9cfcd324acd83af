/** Chooses the network of a new machine: by the configuration, else by what the host can do. */

import type { NetworkChoice } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { loopbackObstacles } from "./gitlab_on_loopback.ts";
import type { Network, NetworkPlan } from "../record/network.ts";
import { type Obstacle, preparePrivateNetwork, rememberVerdict } from "./private_network.ts";
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
  resolvers: {
    servers: [],
    hasFile: true,
    isHostFile: true,
    onlyStubs: false,
    isStubOfResolved: false,
    options: [],
  },
  ipv6: false,
  notes: [],
};

/** The verdict of a host where a private network worked in this boot. */
const WORKS = "private";

/** Milliseconds between two looks at an obstacle: a firewall's program may be loading its rules again. */
const SECOND_LOOK = 1000;

/**
 * Chooses a network, and prepares the host for a private one. `auto` gives the host's network only for an obstacle that
 * two looks find, and never after a private network worked in this boot: anything else is a failure.
 *
 * @param server The origin of the repository's URL; undefined without a repository.
 * @throws {Failure} of the host where `private` is configured, and this host cannot have it, or where it could not be
 *   found out.
 */
export async function chooseNetwork(
  host: Host,
  choice: NetworkChoice,
  plan: NetworkPlan,
  server: string | undefined,
): Promise<ChosenNetwork> {
  if (choice === "host" || choice === "none") return { kind: choice, ...HOST_NETWORK };
  const state = await preparePrivateNetwork(host, plan, "change");
  const { obstacles, resolvers, ipv6, verdict } = state;
  const ofServer = await loopbackObstacles(host, server);
  if (choice === "auto" && ofServer.some(isSerious)) return fallBack(ofServer.filter(isSerious));
  const serious = obstacles.filter(isSerious);
  if (choice === "auto" && verdict !== WORKS && serious.length > 0) {
    const why = describe(serious);
    if (verdict !== why) {
      refuseFailures(obstacles);
      await host.clock.sleep(SECOND_LOOK);
      const again = await preparePrivateNetwork(host, plan, "change");
      const second = describe(again.obstacles.filter(isSerious));
      if (second !== why) {
        throw cannotHave(second === "" ? "its rules changed just now" : second, "Try again");
      }
      await rememberVerdict(host, again, why);
      await host.processes.capture(["logger", "--tag=nspawn-runner", "--", `${NOT_PRIVATE} ${why}`])
        .catch(() => {}); // there may be no logger(1)
    }
    return fallBack(serious);
  }
  refuseFailures(obstacles, "fatal");
  if (serious.length === 0) await rememberVerdict(host, state, WORKS);
  const all = [...obstacles, ...ofServer];
  const notes = all.length === 0 ? [] : [`Network: ${describe(all)}`];
  return { kind: "private", resolvers, ipv6, notes };
}

const NOT_PRIVATE = "Network of the host, since";

function fallBack(obstacles: readonly Obstacle[]): ChosenNetwork {
  return { kind: "host", ...HOST_NETWORK, notes: [`${NOT_PRIVATE} ${describe(obstacles)}`] };
}

const isSerious = ({ severity }: Obstacle) => severity === "fatal" || severity === "serious";

function refuseFailures(obstacles: readonly Obstacle[], also?: Obstacle["severity"]): void {
  const first = obstacles.find(({ severity }) => severity === "failure" || severity === also);
  if (first !== undefined) throw cannotHave(first.reason, first.fix);
}

function cannotHave(reason: string, fix: string): Error {
  return hostFailure(`Cannot give the machine a network of its own: ${reason}`, fix);
}

function describe(obstacles: readonly Obstacle[]): string {
  return obstacles.map(({ reason, fix }) => `${reason}. ${fix}`).join("; ");
}
