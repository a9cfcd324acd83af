/** Parses the command line, strictly: what the table of commands does not have is an error. */

import { usageError } from "../failure.ts";
import type { Verbosity } from "../host/host.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./commands.ts";
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
 * Parses a command line.
 *
 * @param argv Without the program's name.
 * @throws {Failure} `usage`, with the nearest valid name in its hint.
 */
export function parseCommandLine(argv: readonly string[]): Parsed {
  const { words, rest } = splitRest(argv);
  const sorted: SortedWords = { positionals: [], texts: {}, lists: {}, switches: new Set() };
  const remaining = sortWords(words, GLOBAL_OPTIONS, sorted, true);
  const [name] = sorted.positionals;
  const command = name === undefined ? undefined : commandOf(name);
  if (command === undefined && rest !== undefined) {
    throw usageError("Cannot use --: no command comes before it", "See nspawn-runner --help");
  }
  if (asksForHelp(words) || (command === undefined && !words.includes("--version"))) {
    return { kind: "help", command };
  }
  if (command === undefined || words.includes("--version")) return { kind: "version" };
  sortWords(remaining, [...GLOBAL_OPTIONS, ...command.options], sorted);
  const [, ...positionals] = sorted.positionals;
  return {
    kind: "command",
    command,
    globals: globalsOf(sorted),
    invocation: {
      positionals: namedPositionals(command, positionals),
      allPositionals: positionals,
      options: sorted.texts,
      lists: sorted.lists,
      switches: sorted.switches,
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

function commandOf(name: string): CommandSpec {
  const command = COMMANDS.find((spec) => spec.name === name);
  if (command !== undefined) return command;
  const near = nearest(name, COMMANDS.map((spec) => spec.name));
  throw usageError(
    `Cannot run ${JSON.stringify(name)}: no such command`,
    near === undefined ? "See nspawn-runner --help" : `Did you mean ${near}?`,
  );
}

/** The words of a command line: its positionals, the first of which is the command, and its options by name. */
interface SortedWords {
  readonly positionals: string[];
  readonly texts: Record<string, string>;
  readonly lists: Record<string, string[]>;
  readonly switches: Set<string>;
}

/**
 * Adds words to those that are sorted already.
 *
 * @param early Whether to stop after the first positional.
 * @returns The words after the last one that was sorted.
 * @throws {Failure} `usage` where an option is not in the table, or its value is wrong.
 */
function sortWords(
  words: readonly string[],
  options: readonly OptionSpec[],
  { positionals, texts, lists, switches }: SortedWords,
  early = false,
): readonly string[] {
  for (const { name } of options.filter((option) => option.repeats)) lists[name] ??= [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      if (early) return words.slice(at + 1);
      continue;
    }
    const [option, attached] = optionIn(word, options);
    if (option.value === undefined) {
      if (attached !== undefined) {
        throw usageError(`Cannot use ${word}: it takes no value`, `Write --${option.name}`);
      }
      switches.add(option.name);
      continue;
    }
    if (texts[option.name] !== undefined) {
      throw usageError(`Cannot use --${option.name} twice: it takes one value`, "Write it once");
    }
    const value = checkedValue(option, attached ?? words[++at], attached !== undefined);
    if (option.repeats) lists[option.name]!.push(value);
    else texts[option.name] = value;
  }
  return [];
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

function checkedValue(option: OptionSpec, value: string | undefined, isAttached: boolean): string {
  if (value && (isAttached || !value.startsWith("-"))) return value;
  throw usageError(
    `Cannot use --${option.name}: its value is missing`,
    `Write --${option.name}=${option.value}`,
  );
}

function globalsOf({ texts, switches }: SortedWords): Globals {
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
    throw usageError(`Cannot use --: ${command.name} takes no command`);
  }
  if (rest.length === 0) throw usageError(`Cannot run ${command.name}: no command follows --`);
  return rest;
}
