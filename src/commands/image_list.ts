import type { CommandRun } from "../app/command.ts";
import { asJson, asLines, asTable, describeImages } from "../images/store/table.ts";

/** Lists pulled images. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const images = await describeImages(host, (await load()).store);
  if (invocation.switches.has("json")) return host.terminal.out(asJson(images));
  if (!host.terminal.is("stdout")) return host.terminal.out(asLines(images));
  if (images.length > 0) return host.terminal.out(asTable(images, host.clock.now()));
  host.log.info("There is no pulled image yet. Pull one: nspawn-runner image-pull alpine");
};
