/** Parses the command line, strictly: what the table of commands does not have is an error. */

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
  return readWords(splitRest(argv).words, GLOBAL_OPTIONS, true).positionals[0];
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
  const values = readWords(words, [...GLOBAL_OPTIONS, ...command.options]);
  const [, ...positionals] = values.positionals;
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

/** The words of a command line by what they mean. */
interface Words {
  readonly positionals: string[];
  readonly texts: Record<string, string>;
  readonly lists: Record<string, string[]>;
  readonly switches: Set<string>;
}

/**
 * Reads words by a table of options.
 *
 * @param early Whether to stop after the first positional, the command's name.
 */
function readWords(
  words: readonly string[],
  options: readonly OptionSpec[],
  early = false,
): Words {
  const read: Words = { positionals: [], texts: {}, lists: {}, switches: new Set() };
  for (const { name, repeats } of options) if (repeats) read.lists[name] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (!word.startsWith("-") || word === "-") {
      read.positionals.push(word);
      if (early) break;
      continue;
    }
    const [option, attached] = optionIn(word, options);
    if (option.value === undefined) takeSwitch(read, option, word, attached);
    else takeValue(read, option, attached ?? words[++at], attached !== undefined);
  }
  return read;
}

function takeSwitch(
  { switches }: Words,
  { name }: OptionSpec,
  word: string,
  attached: string | undefined,
): void {
  if (attached !== undefined) {
    throw usageError(`Cannot use ${word}: it takes no value`, `Write --${name}`);
  }
  switches.add(name);
}

function takeValue(
  { texts, lists }: Words,
  { name, value: placeholder }: OptionSpec,
  value: string | undefined,
  isAttached: boolean,
): void {
  if (name in texts) {
    throw usageError(`Cannot use --${name} twice: it takes one value`, "Write it once");
  }
  if (!value || (!isAttached && value.startsWith("-"))) {
    throw usageError(
      `Cannot use --${name}: its value is missing`,
      `Write --${name}=${placeholder}`,
    );
  }
  if (name in lists) lists[name]!.push(value);
  else texts[name] = value;
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

function globalsOf({ texts, switches }: Words): Globals {
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
