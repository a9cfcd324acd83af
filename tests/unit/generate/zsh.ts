/** The completion of zsh. */

import { quote } from "../../../src/text/quote.ts";
import {
  COMPLETED,
  type CompletedCommand,
  type CompletedOption,
  type CompletedWord,
  GLOBALS,
  HEAD,
  type Kind,
  NAMES,
} from "./completion.ts";

/** Returns the file. */
export function zshCompletion(): string {
  return `#compdef nspawn-runner
${HEAD}

${Object.entries(NAMES).map(namesFunction).join("\n\n")}

_nspawn_runner_images() {
  _nspawn_runner_chroots "$@"
  _nspawn_runner_pulled "$@"
}

_nspawn_runner() {
  local curcontext=$curcontext state line
  local -a commands=(
${COMPLETED.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join("\n")}
  )
  _arguments -C \\
    ${[...GLOBALS.map(optionSpec), "'1: :->command'", "'*:: :->arguments'"].join(" \\\n    ")}
  if [[ $state == command ]]; then
    _describe -t commands command commands
    return
  fi
  curcontext="\${curcontext%:*}-$line[1]:"
  case $line[1] in
${COMPLETED.map(commandCase).join("\n")}
  esac
}

_nspawn_runner "$@"
`;
}

function namesFunction([kind, command]: readonly [string, string]): string {
  return `_nspawn_runner_${kind}() {
  local -a names=(\${(f)"$(${command})"})
  compadd "$@" -a names
}`;
}

function commandCase({ name, options, words }: CompletedCommand): string {
  const specs = [...options.map(optionSpec), ...words.map(wordSpec)];
  return `    ${name})
      _arguments \\
        ${specs.join(" \\\n        ")}
      ;;`;
}

/** In the text of an option, a bracket would end it. */
function optionSpec({ name, short, value, help, repeats, kind }: CompletedOption): string {
  const text = `[${help.replace(/[[\]]/g, "")}]`;
  if (value !== undefined) {
    return quote(`${repeats ? "*" : ""}--${name}=${text}:${escaped(value)}:${action(kind)}`);
  }
  return short === undefined
    ? quote(`--${name}${text}`)
    : `'(-${short} --${name})'{-${short},--${name}}${quote(text)}`;
}

function wordSpec({ name, kind, repeats }: CompletedWord, index: number): string {
  return quote(`${repeats ? "*" : index + 1}:${escaped(name)}:${action(kind)}`);
}

function action(kind: Kind | undefined): string {
  if (kind === undefined) return " ";
  return kind === "files" ? "_files" : `_nspawn_runner_${kind}`;
}

function escaped(text: string): string {
  return text.replaceAll(":", "\\:");
}
