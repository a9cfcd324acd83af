/** `nspawn-runner pipeline-expand`: expands the file of a pipeline, in a machine that `pipeline` started for it. */

import type { CommandRun } from "../app/command.ts";
import { expand } from "../pipeline/read/expand.ts";

/** Expands the file, and writes the answer. */
export const run: CommandRun = async ({ positionals }, { host }) => {
  const { program = "", request = "", answer = "" } = positionals;
  const text = await host.files.read(request) ?? "";
  await host.files.write(answer, JSON.stringify(await expand(host, program, JSON.parse(text))));
};
