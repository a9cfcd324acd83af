/** The completion of bash, which the package bash-completion loads. */

import {
  COMPLETED,
  type CompletedCommand,
  type CompletedOption,
  GLOBALS,
  HEAD,
  NAMES,
} from "./completion.ts";

/** Returns the file. */
export function bashCompletion(): string {
  return `# shellcheck shell=bash disable=SC2034
${HEAD}

# Prints the names of the kind $1.
_nspawn_runner_names() {
  case $1 in
${Object.entries(NAMES).map(([kind, command]) => `    ${kind}) ${command} ;;`).join("\n")}
    images) _nspawn_runner_names chroots && _nspawn_runner_names pulled ;;
  esac
}

# Completes the word $cur as a name of the kind $1. Jobs choose the names of services: compgen -W would execute them.
_nspawn_runner_complete() {
  local name
  if [[ $1 == files ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  else
    while read -r name; do
      [[ $name != "$cur"* ]] || COMPREPLY+=("$(printf %q "$name")")
    done < <(_nspawn_runner_names "$1")
    __ltrim_colon_completions "$cur"
  fi
}

# Sets what can follow the command $1: options, those with a value and its kind, and kinds of arguments.
_nspawn_runner_command() {
  case $1 in
${[{ name: '""', options: GLOBALS, words: [] }, ...COMPLETED].map(commandCase).join("\n")}
    *) return 1 ;;
  esac
}

_nspawn_runner() {
  local cur prev words cword options values arguments repeated command="" word index count=0
  _get_comp_words_by_ref -n =: cur prev words cword
  _nspawn_runner_command ""
  for ((index = 1; index < cword; index++)); do
    word=\${words[index]}
    if [[ $word == -- ]]; then
      return
    elif [[ $word == -* ]]; then
      [[ $values != *" $word:"* ]] || ((index++))
    elif [[ -z $command ]]; then
      command=$word
      _nspawn_runner_command "$command" || return
    else
      ((count++))
    fi
  done
  if [[ $cur == --*=* ]]; then
    prev=\${cur%%=*} cur=\${cur#*=}
  fi
  if [[ $values == *" $prev:"* ]]; then
    word=\${values#*" $prev:"}
    _nspawn_runner_complete "\${word%% *}"
  elif [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${COMPLETED.map(({ name }) => name).join(" ")}" -- "$cur")
  else
    _nspawn_runner_complete "\${arguments[count]:-$repeated}"
  fi
}

complete -F _nspawn_runner nspawn-runner
`;
}

function commandCase({ name, options, words }: Omit<CompletedCommand, "summary">): string {
  const repeated = words.find(({ repeats }) => repeats)?.kind ?? "";
  return `    ${name})
      options="${options.flatMap(wordsFor).join(" ")}"
      values=" ${options.filter(({ value }) => value !== undefined).map(valueOf).join(" ")} "
      arguments=(${words.map(({ kind }) => kind ?? '""').join(" ")}) repeated="${repeated}"
      ;;`;
}

function wordsFor({ name, short }: CompletedOption): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

function valueOf({ name, kind }: CompletedOption): string {
  return `--${name}:${kind ?? ""}`;
}
