import type { Host } from "../../host/host.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import { SERVER_READY } from "../record/channel.ts";

/** Returns whether the stage server of a machine waits for scripts to run. */
export async function isServerReady(host: Host, { paths }: MachineSpec): Promise<boolean> {
  return (await host.files.readEnd(paths.result, 100) ?? "").includes(SERVER_READY);
}
