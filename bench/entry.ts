/** Runs the main function of a benchmark, and prints its report. */

/** Runs a main function and exits with its result; an error is printed to stderr, with exit code 1. */
export async function runMain(main: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await main());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await Deno.stderr.write(new TextEncoder().encode(`bench: ${message}\n`));
    Deno.exit(1);
  }
}

/** Prints a report to stdout and returns exit code 0. */
export function print(text: string): number {
  Deno.stdout.writeSync(new TextEncoder().encode(text.endsWith("\n") ? text : `${text}\n`));
  return 0;
}
