import type { Host } from "../../host/host.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import { SERVER_READY } from "../record/channel.ts";

/** How far the stage server of a machine is: `begun` from its first line on, `ready` once it waits for scripts to run. */
export type ServerState = "none" | "begun" | "ready";

/** Returns how far the stage server of a machine is that starts. */
export async function serverState(host: Host, { paths }: MachineSpec): Promise<ServerState> {
  const report = await host.files.readEnd(paths.result, 100) ?? "";
  return report.includes(SERVER_READY) ? "ready" : report === "" ? "none" : "begun";
}
