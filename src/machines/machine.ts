/** The life of one machine: start, run stages in it, stop. */

import type { MachineSettings } from "../config/settings.ts";
import type { Ending } from "../ending.ts";
import { Failure, hostFailure, messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import type { Entry, Running } from "./entry/entry.ts";
import { nsenter } from "./entry/nsenter.ts";
import { closeChannel, layScript, openChannel, shellsFor, takeScript } from "./entry/script.ts";
import { unit } from "./entry/unit.ts";
import { type KernelFacts, kernelFacts } from "./kernel.ts";
import { findLease, type Lease, readLease, removeLease, writeLease } from "./lease.ts";
import { idOf, type MachineName } from "./name.ts";
import { nspawnVersion } from "./nspawn.ts";
import { leaseLink, type MachinePaths, machinePaths } from "./paths.ts";
import { isAlive, parseStat } from "./process.ts";
import { chooseStorage, storageOf } from "./storage/choose.ts";
import { sweepExport } from "./supervisor/export.ts";
import { standalone } from "./supervisor/standalone.ts";
import type { Supervisor } from "./supervisor/supervisor.ts";
import { systemd } from "./supervisor/systemd.ts";

/** What a new machine is to be. */
export interface MachinePlan {
  readonly name: MachineName;
  readonly job: string;
  readonly store: string;
  readonly chroot: { readonly name: string; readonly path: string };
  readonly settings: MachineSettings;
}

/** Tells the store's folder; asked only where nothing else does, since it may read the configuration. */
export type StoreTeller = () => Promise<string>;

/** A machine that was started. */
export interface Started {
  readonly lease: Lease;
  /** Whether its limits bind. */
  readonly limits: boolean;
}

/**
 * Starts a machine: it takes commands when this returns. What a failure or an interrupt left half
 * made is undone.
 *
 * @param host The outside.
 * @param plan What it is to be.
 * @param interrupt Gives up when aborted.
 * @returns The machine.
 * @throws {Failure} of the host, or where such a machine exists already.
 */
export async function startMachine(
  host: Host,
  plan: MachinePlan,
  interrupt: AbortSignal,
): Promise<Started> {
  const facts = await kernelFacts(host);
  await refuseExisting(host, plan, facts.boot);
  const paths = machinePaths(plan.store, plan.name);
  const supervisor = await supervisorOfHost(host);
  const lease = await newLease(host, plan, supervisor, facts);
  await writeLease(host, lease);
  try {
    return await create(host, plan, paths, supervisor, lease, interrupt);
  } catch (error) {
    await undo(host, lease);
    throw interrupt.aborted ? hostFailure(`Cannot start machine ${plan.name}: interrupted`) : error;
  }
}

async function create(
  host: Host,
  plan: MachinePlan,
  paths: MachinePaths,
  supervisor: Supervisor,
  lease: Lease,
  interrupt: AbortSignal,
): Promise<Started> {
  const { chroot, settings, name } = plan;
  await host.files.makeDirectory(paths.folder);
  host.log.step(`Making storage ${lease.storage} in ${paths.folder}`);
  const root = await storageOf(lease.storage).open(host, chroot.path, paths.folder);
  await openChannel(host, paths);
  await host.files.remove(leaseLink(name)); // one that led to another store
  await host.files.symlink(paths.lease, leaseLink(name));
  const version = await nspawnVersion(host);
  const spec = { name, root, paths, settings, booted: lease.booted, nspawnVersion: version };
  host.log.step(`Starting machine ${name} from ${chroot.path}`);
  const leader = await supervisor.start(host, spec, lease, interrupt);
  const started = { ...lease, leader, preparer: null };
  await writeLease(host, started);
  if (interrupt.aborted) throw hostFailure("interrupted");
  return { lease: started, limits: supervisor.limits };
}

async function undo(host: Host, lease: Lease): Promise<void> {
  try {
    await removeMachine(host, lease);
  } catch (error) {
    host.log.warn(messageOf(error)); // the first failure is the one to report
  }
}

async function refuseExisting(host: Host, plan: MachinePlan, boot: string): Promise<void> {
  const old = await readLease(host, plan.store, plan.name);
  if (old === null) return;
  if (
    old.boot === boot && (await supervisorOf(old).isAlive(host, old) || await isPrepared(host, old))
  ) {
    throw new Failure(
      "host",
      `Cannot start machine ${plan.name}: it exists already`,
      `End it first: nspawn-runner cleanup --id ${idOf(plan.name)}`,
    );
  }
  await removeMachine(host, old);
}

async function newLease(
  host: Host,
  plan: MachinePlan,
  supervisor: Supervisor,
  facts: KernelFacts,
): Promise<Lease> {
  const { name, store, chroot, settings, job } = plan;
  await host.files.makeDirectory(store, 0o755);
  const { folder } = machinePaths(store, name);
  const storage = await chooseStorage(host, facts, settings.storage, store, folder, chroot.path);
  return {
    version: 1,
    machine: name,
    store,
    boot: facts.boot,
    created: new Date(host.clock.now()).toISOString(),
    job,
    chroot,
    storage: storage.kind,
    supervisor: supervisor.kind,
    booted: settings.boot && await hasInit(host, chroot.path),
    shell: settings.shell,
    cgroups: supervisor.cgroups(facts, name),
    preparer: parseStat(facts.stat),
    leader: null,
  };
}

/** A machine boots where its chroot has systemd, and a bus to reach it by. */
async function hasInit(host: Host, chroot: string): Promise<boolean> {
  const has = async (path: string) => await host.files.lstat(`${chroot}/${path}`) !== null;
  return (await has("usr/lib/systemd/systemd") || await has("lib/systemd/systemd")) &&
    (await has("usr/bin/dbus-daemon") || await has("usr/bin/dbus-broker"));
}

/**
 * Runs one stage of a job in its machine.
 *
 * @param host The outside.
 * @param store Tells the store's folder, where it has to be known.
 * @param name The machine.
 * @param script The script, byte for byte.
 * @param shell What `--shell` said.
 * @param cancel Ends the stage and leaves the machine up.
 * @returns How the stage ended.
 * @throws {Failure} of the host where there is no such machine.
 */
export async function runStage(
  host: Host,
  store: StoreTeller,
  name: MachineName,
  script: Uint8Array,
  shell: string | undefined,
  cancel: AbortSignal,
): Promise<Ending> {
  const running = await findRunning(host, store, name);
  const paths = machinePaths(running.lease.store, name);
  const stage = await layScript(host, paths, script, shellsFor(script, shell, running.lease.shell));
  try {
    return await entryOf(running.lease).exec(host, running, stage, cancel);
  } finally {
    await takeScript(host, paths, stage);
  }
}

/**
 * Ends a machine and removes all that it wrote. Fine when there is none.
 *
 * @param host The outside.
 * @param store Tells the store's folder, where it has to be known.
 * @param name The machine.
 * @returns Whether there was one.
 * @throws {Failure} of the host when something stays.
 */
export async function stopMachine(
  host: Host,
  store: StoreTeller,
  name: MachineName,
): Promise<boolean> {
  const lease = await findLease(host, name, store);
  if (lease !== null) await removeMachine(host, lease);
  // A prepare that was killed before it wrote a lease was trying its storage at most.
  else await host.files.removeTree(machinePaths(await store(), name).folder);
  return lease !== null;
}

async function removeMachine(host: Host, lease: Lease): Promise<void> {
  const paths = machinePaths(lease.store, lease.machine);
  host.log.step(`Ending machine ${lease.machine}`);
  await supervisorOf(lease).stop(host, lease);
  await sweepExport(host, lease.machine);
  host.log.step(`Removing what it wrote: ${paths.folder}`);
  await storageOf(lease.storage).close(host, paths.folder);
  await closeChannel(host, paths);
  await host.files.remove(leaseLink(lease.machine));
  await removeLease(host, lease);
}

async function findRunning(host: Host, store: StoreTeller, name: MachineName): Promise<Running> {
  const lease = await findLease(host, name, store);
  if (lease === null) {
    throw hostFailure(
      `Cannot run a script in machine ${name}: there is none`,
      "Start it first: nspawn-runner prepare",
    );
  }
  const { leader } = lease;
  const isAlive = () => supervisorOf(lease).isAlive(host, lease);
  if (leader === null || !await isAlive()) {
    throw hostFailure(`Cannot run a script in machine ${name}: it has ended`);
  }
  return { lease, leader, isAlive };
}

/** Whether its prepare is still at work. */
async function isPrepared(host: Host, { preparer }: Lease): Promise<boolean> {
  return preparer !== null && await isAlive(host, preparer);
}

async function supervisorOfHost(host: Host): Promise<Supervisor> {
  // sd_booted(3): the folder is there exactly where systemd is PID 1.
  return await host.files.lstat("/run/systemd/system") === null ? standalone : systemd;
}

function supervisorOf(lease: Lease): Supervisor {
  return lease.supervisor === "systemd" ? systemd : standalone;
}

function entryOf(lease: Lease): Entry {
  return lease.booted ? unit : nsenter;
}
