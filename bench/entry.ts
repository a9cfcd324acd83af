/** Runs the main function of a benchmark. */

/** Runs a main function and exits; an error is printed to stderr, with exit code 1. */
export async function runMain(main: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await main());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await Deno.stderr.write(new TextEncoder().encode(`bench: ${message}\n`));
    Deno.exit(1);
  }
}
