/** What all programs of the benchmarks begin and end with. */

/**
 * Runs a program, and ends the process with its code.
 *
 * @param main The program; its error becomes a message on stderr and the code 1.
 */
export async function runMain(main: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await main());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await Deno.stderr.write(new TextEncoder().encode(`bench: ${message}\n`));
    Deno.exit(1);
  }
}

/**
 * Prints what a benchmark has to say.
 *
 * @param text Lines.
 * @returns The code of success.
 */
export function print(text: string): number {
  Deno.stdout.writeSync(new TextEncoder().encode(text.endsWith("\n") ? text : `${text}\n`));
  return 0;
}
