/** From the words of a command line to a checked invocation. */

import { parseArgs } from "@std/cli/parse-args";
import { usageError } from "../failure.ts";
import type { Verbosity } from "../host/host.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./commands.ts";
import type { CommandSpec, Invocation, OptionSpec } from "../app/command.ts";
import { nearest } from "../text/nearest.ts";

/** What every command shares. */
export interface Globals {
  readonly verbosity: Verbosity;
  /** The configuration file that was named. */
  readonly configPath: string | undefined;
}

/** What a command line asks for. */
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
 * Takes a command line apart.
 *
 * @param argv The words after the program's name.
 * @returns What it asks for.
 * @throws {Failure} of usage, naming what is wrong and the nearest right word.
 */
export function parseCommandLine(argv: readonly string[]): Parsed {
  const { words, rest } = splitRest(argv);
  const before = check(words, GLOBAL_OPTIONS, true);
  const name = before.positionals[0];
  const command = name === undefined ? undefined : commandOf(name);
  if (command === undefined && rest !== undefined) {
    throw usageError("Cannot use --: no command comes before it", "See nspawn-runner --help");
  }
  if (asksForHelp(words) || (command === undefined && !words.includes("--version"))) {
    return { kind: "help", command };
  }
  if (command === undefined || words.includes("--version")) return { kind: "version" };
  const { positionals } = check(words, optionsOf(command));
  const values = valuesOf(words, optionsOf(command));
  return {
    kind: "command",
    command,
    globals: globalsOf(values),
    invocation: {
      positionals: namedPositionals(command, positionals.slice(1)),
      words: positionals.slice(1),
      options: values.texts,
      lists: values.lists,
      switches: values.switches,
      rest: checkedRest(command, rest),
    },
  };
}

/** Everything after the first `--` is somebody else's command line. */
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

function optionsOf(command: CommandSpec): OptionSpec[] {
  return [...GLOBAL_OPTIONS, ...command.options];
}

/**
 * Checks each word against the table, so that the parser sees only what it knows.
 *
 * @param early Whether to stop at the first word that is no option: the command's name.
 */
function check(
  words: readonly string[],
  options: readonly OptionSpec[],
  early = false,
): { positionals: string[] } {
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
      throw usageError(`Cannot use --${option.name} twice: which one counts?`, "Write it once");
    }
    seen.add(option.name);
    requireValue(option, value ?? words[++at], value !== undefined);
  }
  return { positionals };
}

/** The option that a word names, and what follows `=` in it. */
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
      `Cannot use ${JSON.stringify(extra)}: ${command.name} takes no more words`,
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
        `For one: ${command.example}`,
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
