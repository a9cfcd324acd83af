/** Tests that cannot run here print a line, which tests/run.sh counts. */

/**
 * Counts a test as skipped; the test has to return right after.
 *
 * @param reason What is missing here, in a few words.
 */
export function skip(name: string, reason: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`\nSKIPPED ${name}: ${reason}\n`));
}

/** Returns whether tests on real nspawn must not be skipped: `tests/run.sh --require-real`. */
export function requireReal(): boolean {
  return Deno.env.get("NSPAWN_RUNNER_REQUIRE_REAL") === "1";
}

/**
 * Skips a test on real nspawn.
 *
 * @param reason What is missing here, in a few words.
 * @throws {Error} under `--require-real`.
 */
export function skipReal(name: string, reason: string): void {
  if (requireReal()) {
    throw new Error(`Cannot skip "${name}": ${reason}, and --require-real is given`);
  }
  skip(name, reason);
}
