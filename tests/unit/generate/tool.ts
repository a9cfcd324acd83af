/** Runs the programs that read generated files. */

import { type Options, type Result, run } from "../../hosts/command.ts";
import { skipReal } from "../../skip.ts";

/**
 * Runs a program to its end; skips the test where the program is not installed.
 *
 * @returns Null where the test is skipped.
 */
export async function runTool(
  test: string,
  argv: readonly string[],
  options: Options = {},
): Promise<Result | null> {
  try {
    return await run(argv, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    skipReal(test, `there is no ${argv[0]}`);
    return null;
  }
}
