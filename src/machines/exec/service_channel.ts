/** The files of the channel of a service's machine. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { quote } from "../../text/quote.ts";
import type { Bind } from "../record/caches.ts";
import { CHANNEL, INSIDE } from "../record/channel.ts";
import { BUSYBOX, HELPER, HELPER_INSIDE } from "../record/helper_root.ts";
import type { MachinePaths } from "../record/paths.ts";
import type { ServiceProgram } from "../record/plan.ts";
import { homeOf } from "../record/user.ts";
import { type ChannelOptions, openChannel } from "./channel.ts";
import { scriptOwnerIds } from "./script_owner.ts";
import { HEALTH_TIMEOUT, SERVICE_SERVER, START_SERVICE_SCRIPT } from "./service_server.ts";
import { variableFunctions } from "./variables.ts";

/**
 * Creates the files of a service's channel.
 *
 * @param tree The tree of the chroot, or the folder with the image's own files.
 * @returns The binds of its logs.
 */
export async function openServiceChannel(
  host: Host,
  paths: MachinePaths,
  { tree, program }: { readonly tree: string; readonly program: ServiceProgram },
  options: Omit<ChannelOptions, "server">,
): Promise<Bind[]> {
  const { ids } = options;
  const user = options.user ?? { ...ROOT, home: await homeOf(host, tree, ROOT.name) ?? "/" };
  await openChannel(host, paths, { ...options, user, environment: [], server: SERVICE_SERVER });
  await host.files.makeDirectory(join(paths.stage, HELPER), 0o755); // mount point
  await host.files.write(join(paths.stage, CHANNEL.start), START_SERVICE_SCRIPT, 0o444);
  const process = join(paths.stage, CHANNEL.process);
  await host.files.write(process, programFile(program), 0o400);
  await host.files.chown(process, ...scriptOwnerIds({ user, ids }));
  return await Promise.all(CHANNEL.logs.map((name) => createLog(host, paths, name, ids)));
}

const ROOT = { name: "root", uid: 0, gid: 0 };

async function createLog(
  host: Host,
  { stage, own }: MachinePaths,
  name: string,
  ids: number | null,
): Promise<Bind> {
  const from = join(own, name);
  await host.files.write(from, "");
  await host.files.chown(from, ids ?? 0, ids ?? 0);
  await host.files.write(join(stage, name), ""); // mount point
  return { from, to: `${INSIDE}/${name}`, readOnly: false, keepsDiskOwners: false };
}

/** Returns the program of a service as functions of a shell. */
export function programFile(
  { words, environment, workingDir, healthcheck }: ServiceProgram,
): string {
  const [entry = "", ...rest] = words;
  const [health = "", ...healthRest] = healthcheck;
  const path = environment.findLast((one) => one.startsWith("PATH="))?.slice("PATH=".length);
  // env(1) sets the few variables whose names a shell does not take; those come from the image.
  const odd = environment.filter((one) => !/^[A-Za-z_]\w*=/.test(one));
  const env = odd.length === 0 ? [] : [`${HELPER_INSIDE}/${BUSYBOX}`, "env", ...odd];
  const command = (before: readonly string[], after: readonly string[]) =>
    ["  exec", ...before.map(quote), '"$1"', ...after.map(quote)].join(" ");
  return [
    `workdir=${quote(workingDir === "" ? "/" : workingDir)}`,
    `path=${quote(path ?? MINIMAL_ENVIRONMENT.PATH!)}`,
    `entry=${quote(entry)}`,
    `health=${quote(health)}`,
    variableFunctions(environment),
    "run_program() {",
    command(env, rest),
    "}",
    "run_health() {",
    command([...HEALTH_TIMEOUT, ...env], healthRest),
    "}",
    "",
  ].join("\n");
}
