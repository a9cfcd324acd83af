/** Parses the command line, strictly: what the table of commands does not have is an error. */

import { parseArgs } from "@std/cli/parse-args";
import { usageError } from "../failure.ts";
import type { Verbosity } from "../host/host.ts";
import { GLOBAL_OPTIONS } from "./options.ts";
import type { CommandSpec, Invocation, OptionSpec } from "../app/command.ts";
import { nearest } from "../text/nearest.ts";

/** The options of every command. */
export interface Globals {
  readonly verbosity: Verbosity;
  /** The value of `--config`. */
  readonly configPath: string | undefined;
}

/** A parsed command line. */
export type Parsed =
  | { readonly kind: "help"; readonly command: CommandSpec | undefined }
  | { readonly kind: "version" }
  | {
    readonly kind: "command";
    readonly command: CommandSpec;
    readonly globals: Globals;
    readonly invocation: Invocation;
  };

/**
 * Returns the name of the command in a command line; undefined where there is none.
 *
 * @param argv Without the program's name.
 * @throws {Failure} `usage` for an unknown option before it.
 */
export function commandName(argv: readonly string[]): string | undefined {
  return checkedPositionals(splitRest(argv).words, GLOBAL_OPTIONS, true)[0];
}

/**
 * Parses a command line.
 *
 * @param argv Without the program's name.
 * @param commands The table of commands.
 * @throws {Failure} `usage`, with the nearest valid name in its hint.
 */
export function parseCommandLine(
  argv: readonly string[],
  commands: readonly CommandSpec[],
): Parsed {
  const { words, rest } = splitRest(argv);
  const name = commandName(argv);
  const command = name === undefined ? undefined : commandOf(name, commands);
  if (command === undefined && rest !== undefined) {
    throw usageError("Cannot use --: no command comes before it", "See nspawn-runner --help");
  }
  if (asksForHelp(words) || (command === undefined && !words.includes("--version"))) {
    return { kind: "help", command };
  }
  if (command === undefined || words.includes("--version")) return { kind: "version" };
  const [, ...positionals] = checkedPositionals(words, optionsOf(command));
  const values = valuesOf(words, optionsOf(command));
  return {
    kind: "command",
    command,
    globals: globalsOf(values),
    invocation: {
      positionals: namedPositionals(command, positionals),
      allPositionals: positionals,
      options: values.texts,
      lists: values.lists,
      switches: values.switches,
      rest: checkedRest(command, rest),
    },
  };
}

/** Cuts a command line at the first `--`. */
function splitRest(argv: readonly string[]): { words: string[]; rest: string[] | undefined } {
  const end = argv.indexOf("--");
  return end === -1
    ? { words: [...argv], rest: undefined }
    : { words: argv.slice(0, end), rest: argv.slice(end + 1) };
}

function asksForHelp(words: readonly string[]): boolean {
  return words.includes("--help") || words.includes("-h");
}

function commandOf(name: string, commands: readonly CommandSpec[]): CommandSpec {
  const command = commands.find((spec) => spec.name === name);
  if (command !== undefined) return command;
  const near = nearest(name, commands.map((spec) => spec.name));
  throw usageError(
    `Cannot run ${JSON.stringify(name)}: no such command`,
    near === undefined ? "See nspawn-runner --help" : `Did you mean ${near}?`,
  );
}

function optionsOf(command: CommandSpec): OptionSpec[] {
  return [...GLOBAL_OPTIONS, ...command.options];
}

/**
 * Checks each word against the table, since parseArgs() accepts any option.
 *
 * @param early Whether to stop after the first positional, the command's name.
 * @returns The positionals.
 */
function checkedPositionals(
  words: readonly string[],
  options: readonly OptionSpec[],
  early = false,
): string[] {
  const positionals: string[] = [];
  const seen = new Set<string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      if (early) break;
      continue;
    }
    const [option, value] = optionIn(word, options);
    if (option.value === undefined) {
      if (value === undefined) continue;
      throw usageError(`Cannot use ${word}: it takes no value`, `Write --${option.name}`);
    }
    if (seen.has(option.name) && !option.repeats) {
      throw usageError(`Cannot use --${option.name} twice: it takes one value`, "Write it once");
    }
    seen.add(option.name);
    requireValue(option, value ?? words[++at], value !== undefined);
  }
  return positionals;
}

/** Returns the option that a word names, and the value after `=`. */
function optionIn(
  word: string,
  options: readonly OptionSpec[],
): readonly [OptionSpec, string | undefined] {
  const [, dashes = "", name = "", , value] = word.match(/^(--?)([^=]*)(=(.*))?$/s) ?? [];
  const found = options.find((option) =>
    dashes === "--" ? option.name === name : option.short === name
  );
  if (found !== undefined) return [found, value];
  const near = nearest(name, options.map((option) => option.name));
  throw usageError(
    `Cannot use ${dashes}${name}: no such option`,
    near === undefined ? "See --help" : `Did you mean --${near}?`,
  );
}

function requireValue(option: OptionSpec, value: string | undefined, attached: boolean): void {
  if (value && (attached || !value.startsWith("-"))) return;
  throw usageError(
    `Cannot use --${option.name}: its value is missing`,
    `Write --${option.name}=${option.value}`,
  );
}

interface Values {
  readonly texts: Readonly<Record<string, string>>;
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly switches: ReadonlySet<string>;
}

function valuesOf(words: readonly string[], options: readonly OptionSpec[]): Values {
  const texts = options.filter((option) => option.value !== undefined && !option.repeats);
  const lists = options.filter((option) => option.repeats);
  const switches = options.filter((option) => option.value === undefined);
  const args: Record<string, unknown> = parseArgs([...words], {
    string: ["_", ...[...texts, ...lists].map((option) => option.name)],
    collect: lists.map((option) => option.name),
    boolean: switches.flatMap(({ name, short }) => short === undefined ? [name] : [name, short]),
  });
  return {
    texts: Object.fromEntries(
      texts.flatMap(({ name }) => typeof args[name] === "string" ? [[name, args[name]]] : []),
    ),
    lists: Object.fromEntries(lists.map(({ name }) => [name, (args[name] ?? []) as string[]])),
    switches: new Set(
      switches.filter(({ name, short }) => args[name] === true || (short && args[short] === true))
        .map(({ name }) => name),
    ),
  };
}

function globalsOf({ texts, switches }: Values): Globals {
  const verbosity = switches.has("debug")
    ? "debug"
    : switches.has("verbose")
    ? "verbose"
    : "normal";
  return { verbosity, configPath: texts["config"] };
}

function namedPositionals(
  command: CommandSpec,
  words: readonly string[],
): Record<string, string> {
  const extra = words[command.positionals.length];
  if (extra !== undefined && !command.positionals.at(-1)?.repeats) {
    throw usageError(
      `Cannot use ${JSON.stringify(extra)}: ${command.name} takes no more arguments`,
      `See nspawn-runner ${command.name} --help`,
    );
  }
  const named: Record<string, string> = {};
  command.positionals.forEach(({ name, required }, index) => {
    const word = words[index];
    if (word !== undefined && word !== "") named[name] = word;
    else if (required || word === "") {
      throw usageError(
        `Cannot run ${command.name}: the ${name} is missing`,
        `Example: ${command.example}`,
      );
    }
  });
  return named;
}

function checkedRest(command: CommandSpec, rest: readonly string[] | undefined): readonly string[] {
  if (rest === undefined) return [];
  if (command.rest === undefined) {
    throw usageError(
      `Cannot use --: ${command.name} takes no command`,
      `See nspawn-runner ${command.name} --help`,
    );
  }
  if (rest.length === 0) {
    throw usageError(
      `Cannot run ${command.name}: no command follows --`,
      `Example: ${command.example}`,
    );
  }
  return rest;
}
