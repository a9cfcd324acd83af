import type { Context } from "./command.ts";
import type { Argv } from "../host/host.ts";

/**
 * The words that call this very program again, as loud and with the same configuration.
 *
 * @param context How it was called.
 * @returns The words; a command follows.
 */
export async function selfArgv({ host, configPath }: Context): Promise<Argv> {
  const [program, ...words] = await host.self();
  const { verbosity } = host.log;
  const loud = verbosity === "normal" ? [] : [verbosity === "debug" ? "--debug" : "--verbose"];
  // It may run in a folder of its own, where a relative path would mean something else.
  const config = configPath === undefined
    ? []
    : ["--config", await host.files.real(configPath) ?? configPath];
  return [program, ...words, ...loud, ...config];
}
