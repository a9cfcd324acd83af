/** The completion of fish. */

import { quote } from "../../../src/text/quote.ts";
import {
  COMPLETED,
  type CompletedCommand,
  type CompletedOption,
  GLOBALS,
  HEAD,
  type Kind,
  NAMES,
} from "./completion.ts";

/** Returns the file. */
export function fishCompletion(): string {
  return `${HEAD}

${Object.entries(NAMES).map(namesFunction).join("\n\n")}

function __nspawn_runner_images
    __nspawn_runner_chroots
    __nspawn_runner_pulled
end

function __nspawn_runner_no_command
    not __fish_seen_subcommand_from ${COMPLETED.map(({ name }) => name).join(" ")}
end

complete -c nspawn-runner -f
${GLOBALS.map((option) => line(optionWords(option))).join("\n")}
${COMPLETED.map(commandLine).join("\n")}
${COMPLETED.flatMap(commandLines).join("\n")}
`;
}

function namesFunction([kind, command]: readonly [string, string]): string {
  return `function __nspawn_runner_${kind}\n    ${command}\nend`;
}

function line(words: readonly string[]): string {
  return ["complete", "-c", "nspawn-runner", ...words].join(" ");
}

function commandLine({ name, summary }: CompletedCommand): string {
  return line(["-n", "__nspawn_runner_no_command", "-a", name, "-d", quoted(summary)]);
}

/** The options and arguments of one command. */
function commandLines({ name, options, words }: CompletedCommand): string[] {
  const condition = ["-n", quoted(`__fish_seen_subcommand_from ${name}`)];
  const own = options.filter((option) => !GLOBALS.some((global) => global.name === option.name));
  const kinds = [...new Set(words.flatMap(({ kind }) => kind ?? []))];
  return [
    ...own.map((option) => line([...condition, ...optionWords(option)])),
    ...kinds.map((kind) => line([...condition, ...kindWords(kind)])),
  ];
}

function optionWords({ name, short, value, help, kind }: CompletedOption): string[] {
  return [
    ...(short === undefined ? [] : ["-s", short]),
    ...["-l", name],
    ...(value === undefined ? [] : [kind === "files" ? "-r" : "-x", ...kindWords(kind)]),
    ...["-d", quoted(help)],
  ];
}

function kindWords(kind: Kind | undefined): string[] {
  if (kind === undefined) return [];
  return kind === "files" ? ["-F"] : ["-a", quoted(`(__nspawn_runner_${kind})`)];
}

/** In single quotes, fish takes backslashes for its own. */
function quoted(text: string): string {
  return quote(text.replaceAll("\\", "\\\\"));
}
