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
  // Success ends by itself, since only then Deno keeps the code that it compiled for the next start.
  if (code !== 0) Deno.exit(code);
}
