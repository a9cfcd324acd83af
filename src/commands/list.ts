import type { CommandRun } from "../cli/spec.ts";
import { listMachines, type MachineEntry } from "../machines/list.ts";
import { asSize } from "../size.ts";
import { columns } from "../table.ts";

/** Lists machines. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const entries = await listMachines(host, (await load()).store);
  if (invocation.switches.has("json")) {
    return host.terminal.out(JSON.stringify(entries, null, 2) + "\n");
  }
  const rows = entries.map(rowOf);
  if (!host.terminal.is("stdout")) {
    return host.terminal.out(rows.map((row) => row.join(" ") + "\n").join(""));
  }
  if (rows.length === 0) return host.log.info("No machine is there");
  host.terminal.out(columns(["ID", "IMAGE", "STATE", "AGE", "MEMORY"], rows));
};

function rowOf({ id, image, state, age, memory }: MachineEntry): readonly string[] {
  return [id, image, state, asAge(age), memory === null ? "-" : asSize(memory).replace(" ", "")];
}

/** The two largest units of a number of seconds. */
function asAge(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h${minutes % 60}min` : `${Math.floor(hours / 24)}d`;
}
