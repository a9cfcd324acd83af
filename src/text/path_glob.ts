/** Patterns for paths, with the rules of doublestar (github.com/bmatcuk/doublestar v4), which GitLab Runner uses. */

/** An escaped character; a class; a run of stars; any other character that a pattern may have. */
const TOKEN = /\\[^]|\[[!^]?(?:\\[^]|[^\\\]/])+\]|\*+|[\w.:@/?-]/g;

/** Braces multiply: so many patterns one may stand for. */
const MOST_ALTERNATIVES = 256;

/**
 * Returns the regular expression of a pattern; undefined where the pattern is invalid.
 *
 * @param pattern `*` and `?` for any characters but `/`, `**` between slashes for any folders, `[…]` for one of several
 *   characters, `{a,b}` for one of several texts, `\` before a character that stands for itself.
 */
export function pathGlobRegExp(pattern: string): RegExp | undefined {
  const sources = alternativesOf(pattern)?.map(sourceOf);
  if (sources === undefined || sources.includes(undefined)) return undefined;
  try {
    return new RegExp(`^(?:${sources.join("|")})$`);
  } catch {
    return undefined; // a range that runs backwards
  }
}

/** Returns the patterns without braces that a pattern with braces stands for; undefined for too many. */
export function alternativesOf(pattern: string): string[] | undefined {
  const braces = pattern.match(/^((?:\\[^]|[^\\{])*)\{((?:\\[^]|[^\\{}])*)\}([^]*)$/);
  if (braces === null) return [pattern];
  const [, before, choices = "", after] = braces;
  const all: string[] = [];
  for (const choice of choices.split(",")) {
    const more = alternativesOf(`${before}${choice}${after}`);
    if (more === undefined || all.length + more.length > MOST_ALTERNATIVES) return undefined;
    all.push(...more);
  }
  return all;
}

function sourceOf(pattern: string): string | undefined {
  const tokens = tokensOf(pattern);
  if (tokens === undefined) return undefined;
  const isFolders = (index: number) =>
    tokens[index] === "**" && (tokens[index - 1] ?? "/") === "/" &&
    (tokens[index + 1] ?? "/") === "/";
  let source = "";
  for (let index = 0; index < tokens.length; index++) {
    // The slash belongs to the folders: `a/**/b` matches a/b, and `a/**` matches a.
    if (tokens[index] === "/" && index + 2 === tokens.length && isFolders(index + 1)) {
      return `${source}(?:/[^]*)?`;
    }
    if (!isFolders(index)) source += expressionOf(tokens[index]!);
    else if (index + 1 === tokens.length) source += "[^]*";
    else {
      source += "(?:[^/]*/)*";
      index++;
    }
  }
  return source;
}

function tokensOf(pattern: string): string[] | undefined {
  const tokens = pattern.match(TOKEN) ?? [];
  return tokens.length > 0 && tokens.join("") === pattern ? tokens : undefined;
}

function expressionOf(token: string): string {
  if (token.startsWith("*")) return "[^/]*";
  if (token === "?") return "[^/]";
  if (token.startsWith("[")) return classOf(token);
  return literal(token.at(-1)!);
}

function classOf(token: string): string {
  const [, isNegated, items = ""] = token.match(/^\[([!^]?)([^]*)\]$/) ?? [];
  const escaped = items.replace(/\\([^])|[\^[&]/g, (item, own) => literal(own ?? item));
  return `(?!/)[${isNegated ? "^" : ""}${escaped}]`;
}

function literal(character: string): string {
  return /\w/.test(character) ? character : `\\${character}`;
}
