/** Translates the patterns of `artifacts:` and `cache:` to arguments of find(1), which runs where the files are. */

import { isAbsolute, normalize, relative } from "@std/path/posix";
import { alternativesOf } from "../../text/path_glob.ts";

/** Arguments of find(1) that select files as GitLab Runner does. */
export interface FindArguments {
  /** Where to begin: `./` and a path. */
  readonly base: string;
  /** Regular expressions of paths, which begin with `./`. */
  readonly expressions: readonly string[];
}

/**
 * Returns the arguments for a pattern of doublestar (github.com/bmatcuk/doublestar v4): of the files that it matches, and of
 * what is in folders that it matches.
 *
 * @param pattern Relative to the project, or absolute.
 * @param isExcluded Whether the pattern excludes files, so that the content of a folder is not meant.
 * @returns Null for a pattern of files outside the project, and for an invalid one.
 */
export function findArguments(
  pattern: string,
  projectDir: string,
  isExcluded = false,
): FindArguments | null {
  const path = inProject(pattern, projectDir);
  if (path === null) return null;
  const plain = path.match(/^(?:[^*?[{\\]*\/)?/)![0].replace(/\/$/, "");
  const isPlain = !/[*?[{\\]/.test(path);
  const base = isPlain ? path : plain;
  const sources = alternativesOf(path)?.map(expressionsOf);
  if (sources === undefined || sources.includes(null)) return null;
  const expressions = sources.flatMap((one) => one ?? []).map((one) =>
    one === "" ? "[.]" : `[.]/${one}`
  );
  const below = path === "."
    ? ["[.]", `[.]/${ANYTHING}`]
    : expressions.flatMap((one) => [one, `${one}/${ANYTHING}`]);
  return {
    base: base === "" || base === "." ? "." : `./${base}`,
    expressions: isExcluded ? expressions : [...new Set(below)],
  };
}

/** To find(1) of GNU, `.` is no line feed. */
const ANYTHING = "\\([^/]\\|/\\)*";

/** Returns a path relative to the project; null for one outside. */
function inProject(pattern: string, projectDir: string): string | null {
  const path = normalize(pattern).replace(/\/+$/, "") || "/";
  const own = isAbsolute(path) ? relative(projectDir, path) || "." : path;
  return own === ".." || own.startsWith("../") || pattern === "" ? null : own;
}

/** An escaped character; a class; a run of stars; any other character. */
const TOKEN = /\\[^]|\[[!^]?\]?(?:\\[^]|[^\\\]])*\]|\*+|[^]/gu;

/** Returns the basic regular expressions of a pattern without braces; null for an invalid one. */
function expressionsOf(pattern: string): string[] | null {
  const tokens = pattern.match(TOKEN) ?? [];
  const isFolders = (index: number) =>
    tokens[index] === "**" && (tokens[index - 1] ?? "/") === "/" &&
    (tokens[index + 1] ?? "/") === "/";
  let source = "";
  for (let index = 0; index < tokens.length; index++) {
    // The slash belongs to the folders: `a/**/b` matches a/b, and `a/**` matches a.
    if (tokens[index] === "/" && index + 2 === tokens.length && isFolders(index + 1)) {
      return [source, `${source}/${ANYTHING}`];
    }
    if (!isFolders(index)) {
      const expression = expressionOf(tokens[index]!);
      if (expression === null) return null;
      source += expression;
    } else if (index + 1 === tokens.length) source += ANYTHING;
    else {
      source += "\\([^/]*/\\)*";
      index++;
    }
  }
  return [source];
}

function expressionOf(token: string): string | null {
  if (token.startsWith("*")) return "[^/]*";
  // find compares bytes here: one of ASCII, or those of other characters.
  if (token === "?") return "\\([ -.0-~]\\|[^ -~][^ -~]*\\)";
  if (token.length > 1 && token.startsWith("[")) return classOf(token);
  if (token === "[" || token === "\\") return null;
  return literal(token.at(0) === "\\" ? token.slice(1) : token);
}

/** In a class of POSIX, a backslash is literal, `]` comes first and `-` last. */
function classOf(token: string): string {
  const [, negated, items = ""] = token.match(/^\[([!^]?)([^]*)\]$/)!;
  let plain = "";
  let hyphen = "";
  let bracket = "";
  for (const [item] of items.matchAll(/(?:\\[^]|[^])-(?:\\[^]|[^])|\\[^]|[^]/gu)) {
    const text = item.replaceAll(/\\([^])/g, "$1");
    if (text === "-") hyphen = "-";
    else if (text === "]") bracket = "]";
    else plain += text;
  }
  if (negated !== "") return `[^${bracket}${plain}/${hyphen}]`;
  return plain.startsWith("^") && bracket === "" && plain.length === 1
    ? "\\^"
    : `[${bracket}${plain.replace(/^(\^+)(.+)$/s, "$2$1")}${hyphen}]`;
}

/** Every character but a few means itself between brackets, for any find(1). */
function literal(character: string): string {
  if (/^[\w/]$/.test(character) || character.codePointAt(0)! > 127) return character;
  return character === "^" ? "\\^" : `[${character}]`;
}
