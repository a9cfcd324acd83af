import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { PLAIN_READY } from "../nspawn.ts";
import { until } from "../process.ts";
import type { MachineSpec } from "../spec.ts";

/**
 * Waits until a plain machine's own process says that it runs: nspawn calls the machine ready a
 * moment before.
 *
 * @param host The outside.
 * @param spec The machine.
 * @throws {Failure} of the host when it never says so.
 */
export async function untilPlainIsReady(host: Host, spec: MachineSpec): Promise<void> {
  const patience = spec.settings.prepare_timeout * 1000;
  if (await until(host, patience, () => isPlainReady(host, spec))) return;
  throw hostFailure(`Cannot start machine ${spec.name}: its first process does not run`);
}

/**
 * Whether a plain machine's own process has said that it runs.
 *
 * @param host The outside.
 * @param spec The machine.
 * @returns True when commands can enter.
 */
export async function isPlainReady(host: Host, spec: MachineSpec): Promise<boolean> {
  return (await host.files.readEnd(spec.paths.result, 100) ?? "").includes(PLAIN_READY);
}
