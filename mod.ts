/**
 * nspawn-runner: a custom executor for GitLab Runner that gives each job a throwaway machine of
 * systemd-nspawn.
 *
 * @module
 */

import { main } from "./src/cli/main.ts";
import { denoHost } from "./src/host/deno_host.ts";

export { main };

if (import.meta.main) Deno.exit(await main(Deno.args, denoHost()));
