/**
 * nspawn-runner: a custom executor for GitLab Runner that gives each job a throwaway machine of systemd-nspawn. It is
 * a program, and has no API.
 *
 * @module
 */

import { main } from "./src/cli/main.ts";
import { denoHost } from "./src/host/deno_host.ts";

// Without Deno.exit(), Deno would first tear down what the kernel takes back anyway.
if (import.meta.main) Deno.exit(await main(Deno.args, denoHost()));
