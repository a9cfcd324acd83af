/** Quotes command lines for a POSIX shell, and for people. */

/**
 * Returns a word, in single quotes where a POSIX shell needs them.
 *
 * @example
 * ```ts
 * import { quote } from "./quote.ts";
 *
 * quote("it's"); // 'it'\''s'
 * ```
 *
 * @param word A text without NUL.
 */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : quoted(word);
}

/**
 * Returns a command line that a POSIX shell runs. The first word is always quoted, so that it is not read as an
 * assignment or a keyword.
 */
export function quoteCommand([program = "", ...words]: readonly string[]): string {
  return [quoted(program), ...words.map(quote)].join(" ");
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Returns a command line for people, quoted where a shell needs quotes. */
export function quoteAll(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}
