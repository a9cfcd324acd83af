/** Words of a command line, as a person or a POSIX shell reads them. */

/**
 * A word in single quotes where it needs them, so that a POSIX shell reads exactly that word.
 *
 * @example
 * ```ts
 * import { quote } from "./quote.ts";
 *
 * quote("it's"); // 'it'\''s'
 * ```
 *
 * @param word Any text without NUL.
 * @returns The quoted word.
 */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : quoted(word);
}

/**
 * A whole command line, so that a POSIX shell runs exactly that command: a first word of its own kind, an
 * assignment or a keyword, is in quotes as well.
 *
 * @param argv The words.
 * @returns One line.
 */
export function quoteCommand([program = "", ...words]: readonly string[]): string {
  return [quoted(program), ...words.map(quote)].join(" ");
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * A whole command line, quoted, to be shown.
 *
 * @param argv The words.
 * @returns One line.
 */
export function quoteAll(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}
