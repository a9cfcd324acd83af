/** Calls this program again. */

import type { Context } from "./command.ts";
import type { Argv } from "../host/host.ts";

/** Returns the words that call this program again, with the same verbosity and configuration; a command follows. */
export async function selfArgv({ host, configPath }: Context): Promise<Argv> {
  const [program, ...words] = await host.self();
  const { verbosity } = host.log;
  const loud = verbosity === "normal" ? [] : [verbosity === "debug" ? "--debug" : "--verbose"];
  // The call may have another working directory, where a relative path would not work.
  const config = configPath === undefined
    ? []
    : ["--config", await host.files.real(configPath) ?? configPath];
  return [program, ...words, ...loud, ...config];
}
