/** Options that are for the side that starts a benchmark, among words that it hands on. */

/** An option's value, and the words without it. */
export interface Taken {
  /** Undefined where the option is not there. */
  readonly value: string | undefined;
  readonly rest: readonly string[];
}

/**
 * Takes an option and its value, `--name value` or `--name=value`, out of words.
 *
 * @param words Any options.
 * @param name With its dashes.
 * @returns Its value, and what is left.
 * @throws {Error} where it has no value.
 */
export function takeOption(words: readonly string[], name: string): Taken {
  const at = words.findIndex((word) => word === name || word.startsWith(`${name}=`));
  const word = words[at];
  if (word === undefined) return { value: undefined, rest: words };
  const joined = word.startsWith(`${name}=`);
  const value = joined ? word.slice(name.length + 1) : words[at + 1] ?? "";
  if (value === "") throw new Error(`Cannot understand ${name}: it needs a value, see --help`);
  return { value, rest: [...words.slice(0, at), ...words.slice(at + (joined ? 1 : 2))] };
}
