/** The shape of a command's table: parsing, help and usage errors all come from it. */

import type { Config } from "../config/settings.ts";
import type { Ending } from "../ending.ts";
import type { Host } from "../host/host.ts";

/** An option of a command. */
export interface OptionSpec {
  /** Long name, without the dashes. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** How help calls the value; a switch without one takes none. */
  readonly value?: string;
  /** Whether it may be given more than once; one with a value. */
  readonly repeats?: true;
  readonly help: string;
}

/** A word of a command line that is no option. */
export interface PositionalSpec {
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** Whether it may be given more than once; the last word alone. */
  readonly repeats?: true;
}

/** One command. */
export interface CommandSpec {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What more there is to say, one paragraph. */
  readonly description?: string;
  /** A command line that works, shown by help. */
  readonly example: string;
  readonly positionals: readonly PositionalSpec[];
  readonly options: readonly OptionSpec[];
  /** How help calls the words after `--`, where they are taken. */
  readonly rest?: string;
  readonly needsRoot: boolean;
  /** Whether it runs a user's script, and so exits with that script's code. */
  readonly runsScript?: true;
  /** Loads the command's module only when it runs: start-up is paid ten times a job. */
  readonly load: () => Promise<{ readonly run: CommandRun }>;
}

/** A command line, taken apart and checked against its table. */
export interface Invocation {
  readonly positionals: Readonly<Record<string, string>>;
  /** All words that are no options, as they stand. */
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** The values of options that may be given more than once, as they stand. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly switches: ReadonlySet<string>;
  /** The words after `--`. */
  readonly rest: readonly string[];
}

/** What a command works with. */
export interface Context {
  readonly host: Host;
  /** Reads the configuration, once. */
  readonly config: () => Promise<Config>;
  /** The configuration file that `--config` named. */
  readonly configPath: string | undefined;
}

/** What a command runs: nothing returned is success, an ending is that of a user's script. */
export type CommandRun = (
  invocation: Invocation,
  context: Context,
) => Promise<Ending | void>;
