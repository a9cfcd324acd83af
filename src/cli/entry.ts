/** The program: runs the command of the command line. */

import { main } from "./main.ts";
import { denoHost } from "../host/deno_host.ts";

// Without Deno.exit(), Deno would first tear down what the kernel takes back anyway.
Deno.exit(await main(Deno.args, denoHost()));
