/** Tests that need a host: they are skipped where none can run, and print their error at once when they fail. */

import { skipReal } from "../skip.ts";
import { must } from "./command.ts";

let checked: Promise<string> | undefined;

/** Returns in one line why no host can run on this machine, and a remedy; null where hosts can run. */
export async function noHostsBecause(): Promise<string | null> {
  checked ??= must([new URL("check.sh", import.meta.url).pathname]);
  return await checked || null;
}

/** Registers a test that needs a host. Deno itself prints errors only at the end, many minutes later. */
export function hostTest(name: string, body: () => Promise<void>): void {
  Deno.test(name, async () => {
    const reason = await noHostsBecause();
    if (reason !== null) return skipReal(name, reason);
    try {
      await body();
    } catch (error) {
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      Deno.stderr.writeSync(new TextEncoder().encode(`\nFAILED ${name}: ${text}\n`));
      throw error;
    }
  });
}
