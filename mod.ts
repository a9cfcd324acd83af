/**
 * nspawn-runner: a custom executor for GitLab Runner that gives each job a throwaway machine of
 * systemd-nspawn.
 *
 * @module
 */

import { main } from "./src/cli/main.ts";
import { denoHost } from "./src/host/deno_host.ts";

export type * from "./src/host/host.ts";
export { main };

if (import.meta.main) {
  const code = await main(Deno.args, denoHost());
  // Only a program that ends by itself leaves the code that it compiled to the next start: the stage
  // that is called most often does, when all went well.
  if (code !== 0 || Deno.args[0] !== "run") Deno.exit(code);
}
