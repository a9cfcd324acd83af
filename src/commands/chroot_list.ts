import type { CommandRun } from "../app/command.ts";
import { listChroots } from "../chroots/find/list.ts";
import { asJson, asLines, asTable } from "../chroots/find/table.ts";

/** Lists chroots and definitions. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const entries = await listChroots(host, await load());
  if (invocation.switches.has("json")) return host.terminal.out(asJson(entries));
  if (!host.terminal.is("stdout")) return host.terminal.out(asLines(entries));
  if (entries.length > 0) return host.terminal.out(asTable(entries, host.clock.now()));
  host.log.info("There is no chroot yet. Make one: nspawn-runner chroot-create bookworm");
};
