/** The commands that make and unpack the archives of a job's caches, artifacts and reports, in its machine. */

import { join } from "@std/path/posix";
import { quoteAll } from "../../text/quote.ts";
import { findArguments } from "./patterns.ts";
import type { JobVariables } from "./variables.ts";

/** What makes and unpacks archives: gitlab-runner where the host has it, as in CI. */
export type Archiver = "gitlab-runner" | "tar";

/** The files of an archive. */
export interface ArchivedFiles {
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly untracked: boolean;
}

/** Returns the name of an archive's file. */
export function archiveName(name: string, archiver: Archiver): string {
  return `${name}.${archiver === "tar" ? "tar" : "zip"}`;
}

/**
 * Returns commands that print an archive on stdout and messages on stderr, and nothing on stdout where no file matches. The
 * project is the present folder.
 */
export function archiveLines(
  archiver: Archiver,
  files: ArchivedFiles,
  variables: JobVariables,
): string[] {
  const expand = (texts: readonly string[]) => texts.map(variables.expand);
  const expanded = { ...files, paths: expand(files.paths), exclude: expand(files.exclude) };
  return archiver === "tar"
    ? tarLines(expanded, variables)
    : runnerLines(expanded, join(variables.temporary, "archive.zip"));
}

function runnerLines({ paths, exclude, untracked }: ArchivedFiles, file: string): string[] {
  const options = [
    ...["--file", file],
    ...paths.flatMap((path) => ["--path", path]),
    ...exclude.flatMap((path) => ["--exclude", path]),
    ...(untracked ? ["--untracked"] : []),
  ];
  const archive = quoteAll([file]);
  return [
    `rm -f ${archive}`,
    `${quoteAll(["gitlab-runner", "cache-archiver", ...options])} >&2`,
    `if [ -f ${archive} ]; then cat ${archive}; fi`,
    `rm -f ${archive}`,
  ];
}

/**
 * Functions that collect files for tar. GNU's tar takes names that end with NUL; that of busybox packs what is in each folder
 * that it is given.
 */
export const COLLECT_SCRIPT = `export LC_ALL=C
list=$RUNNER_TEMP_PROJECT_DIR/files.list
: >"$list"
if tar --null --version >/dev/null 2>&1; then kinds=''; else kinds='! -type d'; fi
# Arguments: the pattern, where find begins, its tests.
collect() {
  pattern=$1 base=$2
  shift 2
  # shellcheck disable=SC2086
  if [ -e "$base" ] || [ -L "$base" ]; then find "$base" $kinds "$@" -print0; fi >"$list.found"
  report "$pattern"
}
# Arguments: tests of find.
collect_untracked() {
  # shellcheck disable=SC2016
  git ls-files -o -z | xargs -0 -r sh -c 'find=$1
shift
for name; do
  shift
  set -- "$@" "./$name"
done
eval "find \\"\\$@\\" -prune $find -print0"' sh "$*" >"$list.found"
  report untracked
}
report() {
  count=$(tr -cd '\\0' <"$list.found" | wc -c)
  if [ "$count" -gt 0 ]; then
    printf '%s: found %d matching artifact files and directories\\n' "$1" "$count"
  else
    printf 'WARNING: %s: no matching files. Ensure that the artifact path is relative to the working directory (%s)\\n' \\
      "$1" "$PWD"
  fi >&2
  cat "$list.found" >>"$list"
}
pack() {
  if ! [ -s "$list" ]; then return; fi
  if [ -z "$kinds" ]; then
    sort -zu "$list" | tar --create --file=- --null --no-recursion --numeric-owner --files-from=- ||
      [ $? -eq 1 ]
  else
    tr '\\0' '\\n' <"$list" | sort -u | tar -c -f - -T -
  fi
}
`;

function tarLines({ paths, exclude, untracked }: ArchivedFiles, variables: JobVariables): string[] {
  const { projectDir } = variables;
  const excluded = exclude.flatMap((pattern) =>
    findArguments(pattern, projectDir, true)?.expressions ?? []
  ).flatMap((expression) => ["!", "-regex", expression]);
  return [
    COLLECT_SCRIPT,
    ...paths.map((pattern) => collectLine(pattern, projectDir, excluded)),
    ...(untracked ? [quoteAll(["collect_untracked", quoteAll(excluded)])] : []),
    "pack",
    'rm -f "$list" "$list.found"',
  ];
}

function collectLine(pattern: string, projectDir: string, excluded: readonly string[]): string {
  const found = findArguments(pattern, projectDir);
  if (found === null) {
    const line = `WARNING: ${pattern}: not a path or pattern of the project`;
    return `${quoteAll(["echo", line])} >&2`;
  }
  const tests = found.expressions.flatMap((expression, index) => [
    ...(index === 0 ? [] : ["-o"]),
    "-regex",
    expression,
  ]);
  return quoteAll(["collect", pattern, found.base, "(", ...tests, ")", ...excluded]);
}

/** Returns the command that unpacks an archive into the present folder. */
export function unpackLine(archiver: Archiver, file: string): string {
  return archiver === "tar"
    ? quoteAll(["tar", "-x", "-p", "-f", file])
    : quoteAll(["gitlab-runner", "cache-extractor", "--file", file]);
}

/** Returns commands that print files for the host to read, none of which has to exist. */
export function printFilesLines(paths: readonly string[], variables: JobVariables): string[] {
  return paths.map(variables.expand).map((path) => {
    const found = findArguments(path, variables.projectDir);
    if (found === null) return ":";
    const tests = found.expressions.flatMap((
      one,
      index,
    ) => [...(index ? ["-o"] : []), "-regex", one]);
    const find = ["find", found.base, "-type", "f", "(", ...tests, ")"];
    return `if [ -e ${quoteAll([found.base])} ]; then LC_ALL=C ${
      quoteAll(find)
    } -exec cat '{}' ';'; fi`;
  });
}
