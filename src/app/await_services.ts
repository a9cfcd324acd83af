/** Waits until the services of a job are ready, and reports those that are not. */

import type { Config } from "../config/settings.ts";
import { hostFailure, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { type MachinePaths, machinePaths } from "../machines/record/paths.ts";
import { noteLate } from "../machines/services/late.ts";
import { lastOutput } from "../machines/services/output.ts";
import { type ReadyResult, waitForService } from "../machines/services/ready.ts";
import { readServiceState } from "../machines/services/state.ts";
import { serviceTitle } from "../machines/services/title.ts";
import type { StartedJob, StartedService } from "./start_services.ts";

/** Lines of a service's output in the log of the job. */
const MAX_LINES = 30;

/**
 * Waits until the services of a job are ready, or have ended, or the time is over. With a negative time-out, only makes sure
 * that their programs could start.
 *
 * @param isRequired Whether the job fails where one of them is not ready.
 * @throws {Failure} `refused` where the program of a service cannot run, or `isRequired` and one is not ready.
 */
export async function awaitServices(
  host: Host,
  { wait_for_services_timeout }: Pick<Config, "wait_for_services_timeout">,
  { lease, services }: StartedJob,
  isRequired: boolean,
  interrupt: AbortSignal,
): Promise<void> {
  const timeout = wait_for_services_timeout * 1000;
  const network = lease.network.kind === "host" ? null : lease.leader!.pid;
  const results = await Promise.all(
    services.map((service) =>
      timeout < 0
        ? failureOf(host, service)
        : awaitService(host, service, network, timeout, interrupt)
    ),
  );
  if (interrupt.aborted) throw hostFailure("Cannot wait for the services of the job: interrupted");
  for (const [index, result] of results.entries()) {
    if (result !== null) await report(host, services[index]!, result, timeout, isRequired);
  }
}

/** Returns the failure of a service whose program cannot run; null for any other service. */
async function failureOf(
  host: Host,
  { planned: { program, plan } }: StartedService,
): Promise<ReadyResult | null> {
  if (program === null) return null;
  const { failure } = await readServiceState(host, machinePaths(plan.store, plan.name));
  return failure === null ? null : { kind: "failed", reason: failure };
}

/** Returns null for a booted machine: it was ready when its systemd had started its units. */
async function awaitService(
  host: Host,
  { planned: { program, ports, plan }, address }: StartedService,
  network: number | null,
  timeout: number,
  interrupt: AbortSignal,
): Promise<ReadyResult | null> {
  if (program === null) return null;
  const paths = machinePaths(plan.store, plan.name);
  const hasHealthcheck = program.healthcheck.length > 0;
  const service = { paths, address, ports, hasHealthcheck };
  return await waitForService(host, service, network, timeout, interrupt);
}

async function report(
  host: Host,
  { planned: { service, aliases, plan } }: StartedService,
  result: ReadyResult,
  timeout: number,
  isRequired: boolean,
): Promise<void> {
  if (result.kind === "ready") return;
  const name = serviceTitle(service.name, aliases);
  const output = await outputOf(host, machinePaths(plan.store, plan.name));
  if (result.kind === "failed") {
    throw refused(`Cannot start service ${name}: ${result.reason}${output}`, START_HINT);
  }
  const reason = result.kind === "exited"
    ? `it ended with ${result.code}`
    : `it was not ready within ${timeout / 1000} s`;
  if (result.kind === "late") await noteLate(host, machinePaths(plan.store, plan.name));
  const text = `Service ${name} is not ready: ${reason}${output}`;
  if (isRequired) throw refused(text, REQUIRED_HINT);
  host.log.warn(text);
}

const START_HINT =
  "Correct entrypoint: and command: of the service in the job, or name another image";

const REQUIRED_HINT =
  "The job fails by services_required = true in the configuration, or by its own NSPAWN_SERVICES_REQUIRED";

async function outputOf(host: Host, paths: MachinePaths): Promise<string> {
  const lines = await lastOutput(host, paths, MAX_LINES);
  return lines.length === 0 ? ", and wrote nothing" : `. Its last output:\n${lines.join("\n")}`;
}
