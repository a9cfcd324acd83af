/** Options of the outer program of a benchmark, which passes the other words on to the inner one. */

/** The value of an option, and the words without it. */
export interface Taken {
  /** Undefined if the option is not given. */
  readonly value: string | undefined;
  readonly rest: readonly string[];
}

/**
 * Removes an option and its value, `--name value` or `--name=value`, from a command line.
 *
 * @param name The option, with its dashes.
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
