/** Starts machines for programs that use the library. */

import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/settings.ts";
import { refused } from "../failure.ts";
import { denoHost } from "../host/deno_host.ts";
import { prepareHost } from "../machines/start/prepare_host.ts";
import { startMachine as start } from "../machines/start/start.ts";
import { hostForLibrary, type LibraryHost } from "./host.ts";
import { machineOf } from "./machine.ts";
import { type OwnParts, planMachine } from "./plan.ts";
import type { Machine, MachineOptions } from "./types.ts";

/**
 * Starts a machine of a chroot or an image, as a job gets it, and waits until it is ready.
 *
 * It runs until it is ended, its lifetime is over, or this process ends: then the next start of any machine, or
 * `nspawn-runner gc`, removes it. The umask of this process becomes 022.
 *
 * @throws {Failure} `refused` where an option is wrong, or this host does not allow the image; `host` where the machine does
 *   not start. The reason of the signal, where it is aborted.
 */
export async function startMachine(options: MachineOptions = {}): Promise<Machine> {
  const host = denoHost();
  if (host.uid() !== 0) {
    throw refused("Cannot start a machine: it needs root", "Run the program with sudo");
  }
  const own = hostForLibrary(host, options.onMessage ?? (() => {}));
  return await startMachineOn(own, await loadConfig(own, options.config), options);
}

/**
 * Starts a machine on a host, by a configuration that was read before.
 *
 * @throws as {@linkcode startMachine}.
 */
export async function startMachineOn(
  host: LibraryHost,
  config: Config,
  options: Omit<MachineOptions, "config" | "onMessage">,
  parts?: OwnParts,
): Promise<Machine> {
  const { signal = new AbortController().signal, variables = {} } = options;
  signal.throwIfAborted();
  try {
    const { id, plan, services } = await planMachine(host, config, options, signal, parts);
    const ready = await prepareHost(host, plan, signal);
    const lease = services === null
      ? await start(host, plan, ready, signal)
      : await services.start(plan, ready, { onPart() {} });
    return machineOf(host, { id, lease, variables, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
