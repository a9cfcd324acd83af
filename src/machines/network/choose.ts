/** Chooses the network of a new machine: by the configuration, else by what the host can do. */

import { join } from "@std/path/posix";
import type { MachineSettings } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { inputObstacles } from "./gitlab_on_host.ts";
import { loopbackObstacles } from "./gitlab_on_loopback.ts";
import type { Network, NetworkPlan } from "../record/network.ts";
import {
  isVerdictOf,
  type NetworkFacts,
  type Obstacle,
  preparePrivateNetwork,
  type PrivateNetworkState,
  rememberVerdict,
} from "./private_network.ts";
import type { Resolvers } from "./resolv.ts";

/** The network of one new machine. */
export interface ChosenNetwork {
  readonly kind: Network["kind"];
  /**
   * The rest, which may be known later: no machine may start before. Rejects where a private network worked in this boot, and
   * the host cannot have one any more. Its rules are loaded when it is fulfilled.
   */
  readonly details: Promise<NetworkDetails>;
}

/** What a new machine and its job have to know of their network. */
export interface NetworkDetails {
  readonly resolvers: Resolvers;
  readonly ipv6: boolean;
  /** Lines for the job's log. */
  readonly notes: readonly string[];
}

/** The machine uses the host's name servers. */
const HOST_NETWORK: NetworkDetails = {
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

/** What was last logged of a GitLab on the host's loopback: it differs from job to job, unlike the verdict on the host. */
const LOGGED_FILE = join(RUNTIME_FOLDER, ".network-of-gitlab");

/** What other processes find out about the host. */
export interface Examination {
  /** The id of this boot. Without it, the kind is known no earlier than the details. */
  readonly boot?: Promise<string>;
  /** What an examination of the host's network finds that began earlier. */
  readonly examined?: Promise<NetworkFacts> | undefined;
}

/** The settings that choose a network. */
export type NetworkSettings = Pick<MachineSettings, "network" | "extra_hosts">;

/**
 * Chooses a network, and prepares the host for a private one. `auto` gives the host's network for a GitLab on the host's
 * loopback, which its name proves, or for an obstacle that two looks find, but the latter never after a private network
 * worked in this boot. Anything else is a failure.
 *
 * @param server The origin of the repository's URL; undefined without a repository.
 * @throws {Failure} of the host where `private` is configured, and this host cannot have it, or where it could not be
 *   found out.
 */
export async function chooseNetwork(
  host: Host,
  { network: choice, extra_hosts }: NetworkSettings,
  plan: NetworkPlan,
  server: string | undefined,
  { boot, examined }: Examination = {},
): Promise<ChosenNetwork> {
  if (choice === "host" || choice === "none") return known(choice, HOST_NETWORK);
  const ofServer = await loopbackObstacles(host, server, extra_hosts);
  if (choice === "auto" && ofServer.some(isSerious)) {
    const line = describe(ofServer);
    if (await host.files.read(LOGGED_FILE).catch(() => null) !== line) {
      await host.files.makeDirectory(RUNTIME_FOLDER);
      await host.files.replace(LOGGED_FILE, line);
      await log(host, line);
    }
    return hostNetwork(ofServer);
  }
  const preparing = preparePrivateNetwork(host, plan, "change", examined);
  preparing.catch(() => {}); // it is awaited later
  const reasons = { server, extra_hosts, ofServer };
  if (boot === undefined || !await isVerdictOf(host, await boot, WORKS)) {
    return await decide(host, choice, plan, await preparing, reasons);
  }
  // From then on no machine gets the host's network, also where the examination is older than that verdict.
  const details = preparing
    .then((state) => decide(host, choice, plan, { ...state, verdict: WORKS }, reasons))
    .then(({ details }) => details);
  details.catch(() => {}); // it is awaited later
  return { kind: "private", details };
}

/** What decides between the two networks beside the state of the host. */
interface Reasons {
  readonly server: string | undefined;
  readonly extra_hosts: NetworkSettings["extra_hosts"];
  readonly ofServer: readonly Obstacle[];
}

/** Decides by the state of the host. */
async function decide(
  host: Host,
  choice: "auto" | "private",
  plan: NetworkPlan,
  state: PrivateNetworkState,
  { server, extra_hosts, ofServer }: Reasons,
): Promise<ChosenNetwork> {
  const { kind, obstacles } = networkOfJobs(choice, state);
  if (kind === "refused") throw cannotHave(obstacles[0]!.reason, obstacles[0]!.fix);
  if (kind === "host") {
    const why = describe(obstacles);
    if (state.verdict !== why) {
      await host.clock.sleep(SECOND_LOOK);
      const again = await preparePrivateNetwork(host, plan, "change");
      const second = describe(again.obstacles.filter(isSerious));
      if (second !== why) {
        throw cannotHave(second === "" ? "its rules changed just now" : second, "Try again");
      }
      await rememberVerdict(host, again, why);
      await log(host, why);
    }
    return hostNetwork(obstacles);
  }
  if (!obstacles.some(isSerious)) await rememberVerdict(host, state, WORKS);
  const { tables, ipv6 } = state;
  const range = plan.network_range;
  const atInput = await inputObstacles(host, { server, extra: extra_hosts, range, tables });
  const all = [...obstacles, ...ofServer, ...atInput];
  const notes = all.length === 0 ? [] : [`Network: ${describe(all)}`];
  // The host's own name server knows the loopback address of its /etc/hosts, others may know a better one.
  const resolvers = ofServer.length > 0 ? state.upstream : state.resolvers;
  return known("private", { resolvers, ipv6, notes });
}

/** The network of jobs on a host, and the obstacles that decide it; with a private one, those that jobs are told. */
export interface NetworkOfJobs {
  readonly kind: "private" | "host" | "refused";
  readonly obstacles: readonly Obstacle[];
}

/** Returns the network that jobs get, as far as the host decides it; `auto` takes a second look before the host's. */
export function networkOfJobs(
  choice: "auto" | "private",
  { obstacles, verdict }: Pick<PrivateNetworkState, "obstacles" | "verdict">,
): NetworkOfJobs {
  const serious = obstacles.filter(isSerious);
  const failures = obstacles.filter(({ severity }) => severity === "failure");
  if (choice === "auto" && verdict !== WORKS && serious.length > 0) {
    const isKnown = verdict === describe(serious);
    if (isKnown || failures.length === 0) return { kind: "host", obstacles: serious };
  }
  const refusing = obstacles.filter(({ severity }) =>
    severity === "failure" || severity === "fatal"
  );
  return refusing.length > 0
    ? { kind: "refused", obstacles: refusing }
    : { kind: "private", obstacles };
}

const NOT_PRIVATE = "Network of the host, since";

function hostNetwork(obstacles: readonly Obstacle[]): ChosenNetwork {
  return known("host", { ...HOST_NETWORK, notes: [`${NOT_PRIVATE} ${describe(obstacles)}`] });
}

function known(kind: ChosenNetwork["kind"], details: NetworkDetails): ChosenNetwork {
  return { kind, details: Promise.resolve(details) };
}

/** Writes to the system's log. */
async function log(host: Host, why: string): Promise<void> {
  await host.processes.capture(["logger", "--tag=nspawn-runner", "--", `${NOT_PRIVATE} ${why}`])
    .catch(() => {}); // there may be no logger(1)
}

const isSerious = ({ severity }: Obstacle) => severity === "fatal" || severity === "serious";

function cannotHave(reason: string, fix: string): Error {
  return hostFailure(`Cannot give the machine a network of its own: ${reason}`, fix);
}

function describe(obstacles: readonly Obstacle[]): string {
  return obstacles.map(({ reason, fix }) => `${reason}. ${fix}`).join("; ");
}
