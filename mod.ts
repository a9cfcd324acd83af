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

// By itself the program would end later: Deno tears down what the kernel takes back anyway.
if (import.meta.main) Deno.exit(await main(Deno.args, denoHost()));
