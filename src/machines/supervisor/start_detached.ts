/** Starts nspawn as a detached process and waits until its machine is ready. */

import type { Host } from "../../host/host.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { identify, readKernel } from "../../linux/proc.ts";
import { until } from "../../linux/wait.ts";
import { questionArgv } from "../exec/enter.ts";
import { connectWhileStarting } from "../network/veth.ts";
import { type InitProcess, inspectInitProcess } from "../nspawn/init_process.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import type { Lease } from "../record/lease.ts";
import { readLog, startLogged } from "./run_logged.ts";
import { serverState } from "./stage_server.ts";
import { cannotStart, reportWhileStarting } from "./start_report.ts";

/** Starts a machine: see {@linkcode Supervisor.start}. */
export async function startDetached(
  host: Host,
  spec: MachineSpec,
  lease: Lease,
  signal: AbortSignal,
): Promise<InitProcess> {
  const nspawn = startLogged(host, spec, lease.cgroups[0]!);
  const findPid = untilFound(() => findInitProcess(host, nspawn));
  const start: Start = { spec, lease, signal, nspawn, findPid };
  const wait = async () => await waitUntilReady(host, start) ?? await failStart(host, start);
  return await connectWhileStarting(
    host,
    spec,
    findPid,
    () => reportWhileStarting(host, spec, lease, findPid, wait),
  );
}

/** A machine that is being started. */
interface Start {
  readonly spec: MachineSpec;
  readonly lease: Lease;
  readonly signal: AbortSignal;
  /** The process id of nspawn. */
  readonly nspawn: number;
  /** Finds the process id of the machine's PID 1. */
  readonly findPid: () => Promise<number | null>;
}

/** Returns the machine's PID 1 once commands can enter; null where nspawn ends, or the time is over, before. */
async function waitUntilReady(host: Host, start: Start): Promise<InitProcess | null> {
  const { spec, signal, nspawn, findPid } = start;
  const timeout = spec.settings.prepare_timeout * 1000;
  const answer = await until(host, { timeout }, async () => {
    if (signal.aborted || await identify(host, nspawn) === null) return "ended";
    const pid = await findPid();
    return pid !== null && await acceptsCommands(host, start, pid) ? pid : null;
  });
  return typeof answer === "number" ? await inspectInitProcess(host, answer) : null;
}

async function failStart(host: Host, { spec, lease, signal, nspawn }: Start): Promise<never> {
  if (await identify(host, nspawn) === null) {
    throw cannotStart(spec, await readLog(host, spec, lease.cgroups[0]!), false);
  }
  throw cannotStart(spec, await host.files.read(spec.paths.log) ?? "", !signal.aborted);
}

/** Remembers the first answer that is not null; callers at the same time share one search. */
function untilFound<T>(find: () => Promise<T | null>): () => Promise<T | null> {
  let search: Promise<T | null> | null = null;
  return async () => {
    search ??= find();
    const found = await search;
    if (found === null) search = null;
    return found;
  };
}

/** Finds the child of nspawn that is PID 1 of a PID namespace; nspawn has short-lived children before it. */
async function findInitProcess(host: Host, nspawn: number): Promise<number | null> {
  const children = await readKernel(host, `/proc/${nspawn}/task/${nspawn}/children`);
  for (const child of children.split(" ").filter((word) => word.trim() !== "")) {
    const status = await readKernel(host, `/proc/${child}/status`);
    if (/^NSpid:.*\t1$/m.test(status)) return Number(child);
  }
  return null;
}

async function acceptsCommands(host: Host, start: Start, pid: number): Promise<boolean> {
  const { spec, lease, signal } = start;
  if (await serverState(host, spec) !== "ready") return false;
  if (!spec.booted) return true;
  const leader = await inspectInitProcess(host, pid);
  // nspawn sets no_new_privs last: a command that enters before would keep every capability.
  if (leader === null || spec.ids === null && !leader.noNewPrivileges) return false;
  // Fails at once until the machine has a bus, then waits until it has booted.
  const wait = ["systemctl", "is-system-running", "--wait"];
  const argv = questionArgv({ lease, leader }, spec.settings.prepare_timeout, wait);
  const { stdout } = await host.processes.capture(argv, { env: MINIMAL_ENVIRONMENT, signal });
  return /^(running|degraded)$/m.test(stdout);
}
