import type { CommandRun } from "../app/command.ts";
import { formatAge } from "../text/age.ts";
import { listMachines, type MachineEntry } from "../machines/report/list.ts";
import { formatSize } from "../text/size.ts";
import { formatTable } from "../text/table.ts";
import { printableJson } from "../text/json.ts";

/** Lists machines. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const entries = await listMachines(host, (await load()).store);
  if (invocation.switches.has("json")) {
    return host.terminal.out(printableJson(entries));
  }
  if (!host.terminal.is("stdout")) {
    return host.terminal.out(entries.map((entry) => rowOf(entry).join(" ") + "\n").join(""));
  }
  if (entries.length === 0) return host.log.info("There are no machines");
  const rows = entries.map((entry) => {
    const [id, ...cells] = rowOf(entry);
    return [entry.aliases.length === 0 ? id : `  ${id}`, ...cells];
  });
  host.terminal.out(formatTable(["ID", "IMAGE", "STATE", "AGE", "MEMORY"], rows));
};

function rowOf({ id, image, state, age, memory }: MachineEntry): [string, ...string[]] {
  return [
    id,
    image,
    state,
    formatAge(age),
    memory === null ? "-" : formatSize(memory).replace(" ", ""),
  ];
}
