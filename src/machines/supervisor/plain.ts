import type { Host } from "../../host/host.ts";
import { PLAIN_READY } from "../nspawn/command_line.ts";
import type { MachineSpec } from "../nspawn/spec.ts";

/** Returns whether the init of a plain machine runs, so that commands can enter. */
export async function isPlainMachineReady(host: Host, spec: MachineSpec): Promise<boolean> {
  return (await host.files.readEnd(spec.paths.result, 100) ?? "").includes(PLAIN_READY);
}
