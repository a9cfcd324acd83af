/** Explains a failed script by the services of its job that ended, or were never ready. */

import type { Host } from "../../host/host.ts";
import { printable } from "../../text/printable.ts";
import { ANSWER_SECONDS, questionArgv } from "../exec/enter.ts";
import { type JobService, type Lease, readLease } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import { wasLate } from "../services/late.ts";
import { lastWords } from "../services/output.ts";
import { NO_STATE, readServiceState } from "../services/state.ts";
import { serviceTitle } from "../services/title.ts";
import { isRunning, supervisorOf } from "../supervisor/choose.ts";
import { limitOf, times } from "./explain.ts";
import { readUsage } from "./usage.ts";

/** What is wrong with a service. */
export interface ServiceTrouble {
  readonly line: string;
  /** What its program said last, which may be a secret of the job. */
  readonly quote: string;
}

/** Returns each service of a job that ended, was not ready in time, or lost processes for lack of memory. */
export async function explainServices(host: Host, job: Lease): Promise<ServiceTrouble[]> {
  const troubles = await Promise.all(
    job.services.map((service) => explainService(host, job, service)),
  );
  return troubles.filter((one) => one !== null)
    .map(({ line, quote }) => ({ line: printable(line), quote: printable(quote) }));
}

async function explainService(
  host: Host,
  { store }: Lease,
  { machine, aliases }: JobService,
): Promise<ServiceTrouble | null> {
  const lease = await readLease(host, store, machine);
  const image = lease?.service?.image;
  if (lease === null || image === undefined) {
    return { line: `service ${aliases.at(-1)} is gone`, quote: "" };
  }
  const trouble = await isRunning(host, lease)
    ? await troubleOf(host, lease)
    : await endOf(host, lease);
  return trouble && { ...trouble, line: `service ${serviceTitle(image, aliases)} ${trouble.line}` };
}

/** A program of a service ends its machine with itself. */
async function endOf(host: Host, lease: Lease): Promise<ServiceTrouble> {
  const { code } = await stateOf(host, lease);
  const end = code === null ? "has ended" : `ended with ${code}`;
  // The counters of its memory ended with the machine.
  const isOutOfMemory = await supervisorOf(lease).ranOutOfMemory(
    host,
    lease,
    Date.parse(lease.created),
  );
  return isOutOfMemory
    ? { line: `${end}: out of memory. ${RAISE_MEMORY}`, quote: "" }
    : { line: end, quote: await said(host, lease) };
}

/** Returns what is wrong with a service that runs; null where nothing is. */
async function troubleOf(host: Host, lease: Lease): Promise<ServiceTrouble | null> {
  const { oomKills, ...usage } = await readUsage(host, lease);
  if (oomKills) {
    const killed = times(oomKills, "process");
    const line = `ran out of memory: ${killed} killed at ${limitOf(usage)}. ${RAISE_MEMORY}`;
    return { line, quote: "" };
  }
  if (lease.booted) return await failedUnits(host, lease);
  const { store, machine } = lease;
  const isLate = await wasLate(host, machinePaths(store, machine));
  return isLate ? { line: "was not ready in time", quote: await said(host, lease) } : null;
}

const RAISE_MEMORY = "The administrator can raise service_limits.memory_max";

async function stateOf(host: Host, { store, machine, service }: Lease) {
  return service?.reports ? await readServiceState(host, machinePaths(store, machine)) : NO_STATE;
}

async function said(host: Host, { store, machine, service }: Lease): Promise<string> {
  if (!service?.reports) return "";
  const words = await lastWords(host, machinePaths(store, machine));
  return words === null ? ", and wrote nothing" : `: "${words}"`;
}

async function failedUnits(host: Host, lease: Lease): Promise<ServiceTrouble | null> {
  const argv = questionArgv(
    { lease, leader: lease.leader! },
    ANSWER_SECONDS,
    ["systemctl", "list-units", "--failed", "--plain", "--no-legend"],
  );
  const { stdout } = await host.processes.capture(argv);
  const units = [...stdout.matchAll(/^([\w.:@\\-]+\.[a-z]+) /gm)].map(([, unit]) => unit);
  if (units.length === 0) return null;
  return { line: `has failed units: ${units.slice(0, MAX_UNITS).join(", ")}`, quote: "" };
}

/** Units in a line. */
const MAX_UNITS = 5;
