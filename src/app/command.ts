/** The types of the table of commands, and what a command gets when it runs. */

import type { Config } from "../config/settings.ts";
import type { Ending } from "../ending.ts";
import type { Host } from "../host/host.ts";

/** An option of a command. */
export interface OptionSpec {
  /** Long name, without the dashes. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** The name of its value in help; undefined for a switch, which takes none. */
  readonly value?: string;
  /** Whether it may be given more than once; only with a value. */
  readonly repeats?: true;
  readonly help: string;
}

/** An argument of a command that is no option. */
export interface PositionalSpec {
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** Whether it may be given more than once; only for the last one. */
  readonly repeats?: true;
}

/** One command. */
export interface CommandSpec {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** One paragraph for the help of the command. */
  readonly description?: string;
  /** A command line that works as it is. */
  readonly example: string;
  readonly positionals: readonly PositionalSpec[];
  readonly options: readonly OptionSpec[];
  /** The name in help of the arguments after `--`; undefined where none are taken. */
  readonly rest?: string;
  readonly needsRoot: boolean;
  /** Whether it runs a script or a shell of the user, and exits with its code. */
  readonly runsScript?: true;
  /** Loads the command's module, only when it runs: the program starts ten times a job. */
  readonly load: () => Promise<{ readonly run: CommandRun }>;
}

/** The command line of a command, checked against the table. */
export interface Invocation {
  /** By name. One that may be repeated has its first value here. */
  readonly positionals: Readonly<Record<string, string>>;
  readonly allPositionals: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** The values of options that may be given more than once. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly switches: ReadonlySet<string>;
  /** The arguments after `--`. */
  readonly rest: readonly string[];
}

/** What every command gets. */
export interface Context {
  readonly host: Host;
  /** Returns the configuration; reads it at the first call. */
  readonly config: () => Promise<Config>;
  /** The value of `--config`. */
  readonly configPath: string | undefined;
}

/** Runs a command. Returns how a user's script ended; nothing where there was none and all went well. */
export type CommandRun = (
  invocation: Invocation,
  context: Context,
) => Promise<Ending | void>;
