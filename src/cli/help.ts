/** The text of `--help`, from the table of commands. */

import { COMMANDS } from "./commands.ts";
import { GLOBAL_OPTIONS } from "./options.ts";
import type { CommandSpec, OptionSpec } from "../app/command.ts";

/** The widest line, in columns. */
const WIDTH = 100;

type Row = readonly [left: string, right: string];

/** The exit codes of commands that a person calls. */
export const EXIT_CODES: readonly Row[] = [
  ["0", "success"],
  ["1", "failure"],
  ["2", "the command line is wrong"],
  [
    "125",
    "run, simulate, shell, chroot-login: the host failed; other codes are those of the script",
  ],
  ["128 + n", "the script was killed by signal n"],
];

/** Files of the program. */
export const FILES: readonly Row[] = [
  ["/var/lib/nspawn-runner/NAME", "the chroot NAME"],
  ["/etc/nspawn-runner/config.toml", "the configuration"],
  ["/etc/nspawn-runner/NAME.toml", "the definition of a chroot; NAME.yaml: its playbook"],
];

/**
 * Returns the help of a command, or of the whole program.
 *
 * @param command Undefined for the program.
 */
export function helpText(command: CommandSpec | undefined): string {
  const sections = command === undefined ? programHelp() : commandHelp(command);
  return sections.filter((section) => section !== "").join("\n\n") + "\n";
}

function programHelp(): string[] {
  return [
    "nspawn-runner: CI jobs in throwaway machines of systemd-nspawn, for GitLab Runner",
    `Usage: ${usage(undefined)}`,
    section("Commands", COMMANDS.map(({ name, summary }) => [name, summary])),
    section("Options, before or after the command", GLOBAL_OPTIONS.map(row)),
    section("Exit codes; GitLab Runner gets those that it asks for", EXIT_CODES),
    section("Files", FILES),
    "Example:\n  nspawn-runner simulate --image bookworm -- make test",
  ];
}

function commandHelp(command: CommandSpec): string[] {
  return [
    wrap(`${command.summary}.`),
    `Usage: ${usage(command)}`,
    command.description === undefined ? "" : wrap(command.description),
    section("Arguments", [
      ...command.positionals.map(({ name, help }) => [name.toUpperCase(), help] as const),
      ...(command.rest === undefined
        ? []
        : [[command.rest, "The command that the job runs"] as const]),
    ]),
    section("Options", command.options.map(row)),
    section("Options of every command", GLOBAL_OPTIONS.map(row)),
    `Example:\n  ${command.example}`,
  ];
}

/** Returns the shape of the command line of a command, or of the whole program. */
export function usage(command: CommandSpec | undefined): string {
  if (command === undefined) return "nspawn-runner [OPTIONS] COMMAND";
  const words = command.positionals.map(({ name, required, repeats }) => {
    const word = `${name.toUpperCase()}${repeats ? "..." : ""}`;
    return required ? word : `[${word}]`;
  });
  const rest = command.rest === undefined ? [] : [`[-- ${command.rest}...]`];
  return ["nspawn-runner", command.name, "[OPTIONS]", ...words, ...rest].join(" ");
}

function row({ name, short, value, help }: OptionSpec): Row {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [short === undefined ? long : `-${short}, ${long}`, help];
}

function section(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  const column = Math.max(...rows.map(([left]) => left.length)) + 4;
  const lines = rows.map(([left, right]) => {
    const [first = "", ...more] = wrapLines(right, WIDTH - column);
    return [`  ${left}`.padEnd(column) + first, ...more.map((line) => " ".repeat(column) + line)];
  });
  return [`${title}:`, ...lines.flat()].join("\n");
}

function wrap(text: string): string {
  return wrapLines(text, WIDTH).join("\n");
}

function wrapLines(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
