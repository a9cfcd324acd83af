/** `@std/cli/parse-args` over minimist: what this project uses of it, and no more. */

import minimist from "minimist";

/** Options that both parsers take in the same sense. */
export interface ParseOptions {
  /** Names whose values stay text; `_` for the words that are no option. */
  readonly string?: readonly string[];
  /** Names that take no value. */
  readonly boolean?: readonly string[];
  /** Names whose values are gathered into a list. */
  readonly collect?: readonly string[];
}

/** What was found: words under `_`, options under their names. */
export interface Args {
  _: string[];
  // deno-lint-ignore no-explicit-any -- as in the package that this stands for
  [name: string]: any;
}

const parse = minimist as unknown as (argv: string[], options: object) => Args;

/**
 * Takes a command line apart.
 *
 * @param argv The words.
 * @param options What is known of the options.
 * @returns Words and options.
 */
export function parseArgs(argv: readonly string[], options: ParseOptions = {}): Args {
  const { string = [], boolean = [], collect = [] } = options;
  const args = parse([...argv], { string: [...string], boolean: [...boolean] });
  for (const name of string) {
    if (name === "_") continue;
    const values: string[] = [args[name] ?? []].flat();
    if (collect.includes(name)) args[name] = values;
    else if (values.length > 1) args[name] = values.at(-1);
  }
  return args;
}
