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
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * A whole command line, quoted, to be shown or pasted.
 *
 * @param argv The words.
 * @returns One line.
 */
export function quoteAll(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}
