/** `@std/cli/parse-args` on networks without JSR, over minimist: the options that this project uses. */

import minimist from "minimist";

/** Options that mean the same to both parsers. */
export interface ParseOptions {
  /** Names whose values stay strings; `_` for positional arguments. */
  readonly string?: readonly string[];
  /** Names that take no value. */
  readonly boolean?: readonly string[];
  /** Names that may be repeated: their values become a list. */
  readonly collect?: readonly string[];
}

/** Positional arguments under `_`, options under their names. */
export interface Args {
  _: string[];
  // deno-lint-ignore no-explicit-any -- as in `@std/cli`
  [name: string]: any;
}

const parse = minimist as unknown as (argv: string[], options: object) => Args;

/** Splits a command line into positional arguments and options; of a repeated option the last value counts. */
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
