import type { CommandRun } from "../app/command.ts";
import { formatAge } from "../text/age.ts";
import { listMachines, type MachineEntry } from "../machines/report/list.ts";
import { formatSize } from "../text/size.ts";
import { formatTable } from "../text/table.ts";

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
  if (rows.length === 0) return host.log.info("There are no machines");
  host.terminal.out(formatTable(["ID", "IMAGE", "STATE", "AGE", "MEMORY"], rows));
};

function rowOf({ id, image, state, age, memory }: MachineEntry): readonly string[] {
  return [
    id,
    image,
    state,
    formatAge(age),
    memory === null ? "-" : formatSize(memory).replace(" ", ""),
  ];
}
