/** How a test says that it cannot run here: tests/run.sh counts these lines. */

/**
 * Counts a test as skipped; it must return right after.
 *
 * @param name The test.
 * @param reason What is missing here, in a few words.
 */
export function skip(name: string, reason: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`\nSKIPPED ${name}: ${reason}\n`));
}

/**
 * Whether a test that needs real nspawn must run here.
 *
 * @returns True under `tests/run.sh --require-real`.
 */
export function requireReal(): boolean {
  return Deno.env.get("NSPAWN_RUNNER_REQUIRE_REAL") === "1";
}

/**
 * Skips a test for want of real nspawn.
 *
 * @param name The test.
 * @param reason What is missing here.
 * @throws {Error} under `--require-real`.
 */
export function skipReal(name: string, reason: string): void {
  if (requireReal()) throw new Error(`Cannot skip "${name}": ${reason}, and it must run here`);
  skip(name, reason);
}
