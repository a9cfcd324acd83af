/** Starts the machine of a job together with those of its services. */

import { join } from "@std/path/posix";
import { hostFailure, messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { until } from "../linux/wait.ts";
import { removeMachine } from "../machines/end/stop.ts";
import { connectPeers, type Peer, peerAddresses } from "../machines/network/peers.ts";
import { CHANNEL } from "../machines/record/channel.ts";
import { type Lease, readLease } from "../machines/record/lease.ts";
import { whileMachineLocked } from "../machines/record/lock.ts";
import { machinePaths } from "../machines/record/paths.ts";
import type { MachinePlan, SharedParts } from "../machines/record/plan.ts";
import { addHosts } from "../machines/start/hosts_file.ts";
import type { StartObserver } from "../machines/start/observer.ts";
import type { PreparedHost } from "../machines/start/prepare_host.ts";
import { startMachine } from "../machines/start/start.ts";
import { readServiceState } from "../machines/services/state.ts";
import { refuseTakenPorts } from "./service_ports.ts";
import type { PlannedService } from "./service_plan.ts";

/** The machines of a job, which run. */
export interface StartedJob {
  readonly lease: Lease;
  /** In the order of the job's services. */
  readonly services: readonly StartedService[];
}

/** A service whose machine runs, and whose program has started. */
export interface StartedService {
  readonly planned: PlannedService;
  readonly lease: Lease;
  /** The address by which the job reaches it. */
  readonly address: string;
}

/** The name by which services reach the machine of their job. */
const JOB_ALIAS = "build";

/**
 * Starts the machine of a job and those of its services at once, connects them, and lets the programs of the services run.
 * After a failure or an interrupt, removes all of them.
 *
 * @param observer Is called while the machine of the job starts.
 * @throws {Failure} as {@linkcode startMachine} does, for any of the machines.
 */
export async function startWithServices(
  host: Host,
  job: MachinePlan,
  services: readonly PlannedService[],
  prepared: PreparedHost,
  interrupt: AbortSignal,
  observer: StartObserver = {},
): Promise<StartedJob> {
  if (prepared.network.kind === "host") {
    refuseUnreachable(services);
    await refuseTakenPorts(host, services);
  }
  const failed = new AbortController();
  const signal = AbortSignal.any([interrupt, failed.signal]);
  const { machines, released } = startAll(
    host,
    withServices(job, services),
    services,
    prepared,
    signal,
    observer,
  );
  const leases = await allOrUndo(host, machines, released, () => failed.abort());
  const addresses = await addressesOf(prepared, job, leases);
  return {
    lease: leases[0]!,
    services: services.map((planned, index) => ({
      planned,
      lease: leases[index + 1]!,
      address: addresses[index + 1]!.ipv4,
    })),
  };
}

/** In the host's network a job reaches no machine that has a network of its own. */
function refuseUnreachable(services: readonly PlannedService[]): void {
  const cut = services.find(({ plan }) => plan.settings.network === "none");
  if (cut === undefined) return;
  throw refused(
    `Cannot start service ${cut.service.name}: it has network = "none", and the job has the host's network`,
    "Change network in the definition of one of the two chroots",
  );
}

/** Ends the machines of a job whose services are not as it needs them. */
export async function removeStarted(
  host: Host,
  { lease, services }: StartedJob,
): Promise<void> {
  for (const one of [...services.map(({ lease }) => lease), lease]) await undo(host, one);
}

function withServices(job: MachinePlan, services: readonly PlannedService[]): MachinePlan {
  return {
    ...job,
    services: services.map(({ plan, aliases }) => ({ machine: plan.name, aliases })),
  };
}

/** A promise that another task settles. */
interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function defer<T>(): Deferred<T> {
  const deferred = Promise.withResolvers<T>();
  deferred.promise.catch(() => {}); // a start that fails reports its own failure
  return deferred;
}

/** A machine that is being started. */
interface Starting {
  /** The process id of its PID 1. */
  readonly leader: Promise<number>;
  readonly lease: Promise<Lease>;
}

function startAll(
  host: Host,
  job: MachinePlan,
  services: readonly PlannedService[],
  prepared: PreparedHost,
  signal: AbortSignal,
  observer: StartObserver,
) {
  const shared = defer<SharedParts>();
  const begin = (
    plan: () => Promise<MachinePlan>,
    observer: StartObserver = {},
  ): Starting => {
    const leader = defer<number>();
    const start = async () => {
      try {
        const ready = await plan();
        return await startMachine(host, ready, preparedFor(prepared, ready), signal, {
          ...observer,
          onLeader: leader.resolve,
        });
      } catch (error) {
        for (const one of [leader, shared]) one.reject(error);
        throw error;
      }
    };
    return { leader: leader.promise, lease: start() };
  };
  const machines = [
    begin(() => Promise.resolve(job), { ...observer, onStorage: shared.resolve }),
    ...services.map((service) =>
      begin(async () => {
        const plan = planOfShared(job, service, await shared.promise);
        await removeEarlier(host, plan);
        return plan;
      })
    ),
  ];
  const connected = connectAll(host, job, services, prepared, machines);
  const released = services.map((service, index) =>
    release(host, service, machines[index + 1]!.lease, connected, signal)
  );
  return { machines, released };
}

/** An earlier prepare of the job may have been killed. The job's machine was found to have ended, so its services end, too. */
async function removeEarlier(host: Host, { store, name }: MachinePlan): Promise<void> {
  const lease = await readLease(host, store, name);
  if (lease !== null) await whileMachineLocked(host, name, () => removeMachine(host, lease));
}

function planOfShared(
  job: MachinePlan,
  { plan, aliases, service, program }: PlannedService,
  shared: SharedParts,
): MachinePlan {
  return {
    ...plan,
    binds: [...plan.binds, ...shared.binds],
    service: {
      job: job.name,
      aliases,
      image: service.name,
      hasProgram: program !== null,
      shared,
    },
  };
}

/** A service may have less of a network than its job. */
function preparedFor(prepared: PreparedHost, { settings }: MachinePlan): PreparedHost {
  if (settings.network !== "none" || prepared.network.kind === "none") return prepared;
  return { ...prepared, network: { ...prepared.network, kind: "none" } };
}

/** Connects the machines as soon as all of them have a network. */
async function connectAll(
  host: Host,
  job: MachinePlan,
  services: readonly PlannedService[],
  prepared: PreparedHost,
  machines: readonly Starting[],
): Promise<void> {
  const leaders = await Promise.all(machines.map(({ leader }) => leader));
  const plans = [job, ...services.map(({ plan }) => plan)];
  const leases = await Promise.all(plans.map((plan) => leaseOf(host, plan)));
  const names = [[JOB_ALIAS], ...services.map(({ aliases }) => aliases)];
  const peers = (await addressesOf(prepared, job, leases))
    .map((addresses, number) => ({ pid: leaders[number]!, ...addresses }));
  if (prepared.network.kind !== "host") await connectPeers(host, peers);
  const lines = peers.flatMap(({ ipv4, ipv6 }, number) => {
    const line = names[number]!.join(" ");
    return [`${ipv4}\t${line}`, ...(ipv6 === null ? [] : [`${ipv6}\t${line}`])];
  });
  for (const plan of plans) await addHosts(host, machinePaths(plan.store, plan.name), lines);
}

async function leaseOf(host: Host, { store, name }: MachinePlan): Promise<Lease> {
  const lease = await readLease(host, store, name);
  if (lease !== null) return lease;
  throw hostFailure(`Cannot connect machine ${name}: it has ended`, "Retry the job");
}

/** Returns the addresses of all machines of a job. */
async function addressesOf(
  { network }: PreparedHost,
  { networks }: MachinePlan,
  leases: readonly Lease[],
): Promise<Pick<Peer, "ipv4" | "ipv6">[]> {
  if (network.kind === "host") return leases.map(() => ({ ipv4: "127.0.0.1", ipv6: null }));
  const { ipv6 } = await network.details;
  return peerAddresses(networks.network_range, leases.map(({ network }) => network), ipv6);
}

/**
 * Tells the server in the machine of a service to start the program, and waits until it has. A program that ends at once
 * also ends its machine, which must not look as if it could not be started.
 */
async function release(
  host: Host,
  { program, plan: { store, name, settings } }: PlannedService,
  started: Promise<Lease>,
  connected: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([started, connected]);
  if (program === null) return;
  const paths = machinePaths(store, name);
  const call = await host.files.openPipe(join(paths.stage, CHANNEL.call));
  try {
    await call.write("start\n");
    const timeout = settings.prepare_timeout * 1000;
    // The pipe keeps the line only as long as it is open.
    await until(host, { timeout, interval: 5, signal }, async () => {
      const { hasStarted, failure } = await readServiceState(host, paths);
      return hasStarted || failure !== null;
    });
  } finally {
    call.close();
  }
}

/** Waits for all machines and for the programs of the services; where one fails, removes all machines. */
async function allOrUndo(
  host: Host,
  machines: readonly Starting[],
  released: readonly Promise<void>[],
  stop: () => void,
): Promise<Lease[]> {
  const all = [...machines.map(({ lease }) => lease), ...released];
  try {
    await Promise.all(all);
    return await Promise.all(machines.map(({ lease }) => lease));
  } catch (error) {
    stop();
    await Promise.allSettled(all);
    const leases = await Promise.allSettled(machines.map(({ lease }) => lease));
    for (const one of leases.toReversed()) {
      if (one.status === "fulfilled") await undo(host, one.value);
    }
    throw error;
  }
}

async function undo(host: Host, lease: Lease): Promise<void> {
  const { store, machine, created } = lease;
  try {
    await whileMachineLocked(host, machine, async () => {
      // The job may have been cleaned up, and prepared again, meanwhile.
      if ((await readLease(host, store, machine))?.created !== created) return;
      await removeMachine(host, lease);
    });
  } catch (error) {
    host.log.warn(messageOf(error)); // the failure before this one is thrown
  }
}
