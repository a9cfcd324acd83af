/** The files of the channel that a machine with two roots has in addition. */

import { dirname, join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { quote } from "../../text/quote.ts";
import { CHANNEL } from "../record/channel.ts";
import { HELPER, HELPER_HOME, RUNNER } from "../record/helper_root.ts";
import type { MachinePaths } from "../record/paths.ts";
import type { BaseTree, ImageProcess } from "../record/plan.ts";
import { homeOf, type MachineUser } from "../record/user.ts";
import { type ChannelOptions, openChannel } from "./channel.ts";
import { START_PROCESS_SCRIPT, TWO_ROOTS_SERVER } from "./two_roots.ts";

/**
 * Creates the files of a channel, and those that a machine with two roots has in addition. The latter hold no secret: every
 * user of the machine may read them.
 */
export async function openTwoRootChannel(
  host: Host,
  paths: MachinePaths,
  { path, process }: Pick<BaseTree, "path" | "process">,
  options: Omit<ChannelOptions, "server">,
): Promise<void> {
  const user = options.user ?? { ...ROOT, home: await homeOfRoot(host, path, process) };
  await openChannel(host, paths, { ...options, user, server: TWO_ROOTS_SERVER });
  const write = (name: string, text: string) =>
    host.files.write(join(paths.stage, name), text, 0o444);
  for (const folder of [HELPER, dirname(RUNNER)]) {
    await host.files.makeDirectory(join(paths.stage, folder), 0o755);
  }
  await write(RUNNER, ""); // mount point
  await write("passwd", passwdOf(user));
  await write("group", groupOf(user));
  if (process === null) return;
  const [entry = "", ...words] = process.entrypoint;
  await write(CHANNEL.start, START_PROCESS_SCRIPT);
  // Of several values of a name, the first one counts in the options, and the last one in env(1).
  await write(CHANNEL.process, processLines(process, entry, options.environment.toReversed()));
  if (entry !== "") await write(CHANNEL.entrypoint, `set -- "$@"${words.map(argument).join("")}\n`);
}

const ROOT = { name: "root", uid: 0, gid: 0 };

/** As in Docker, `/` where an image has no passwd(5). */
async function homeOfRoot(host: Host, tree: string, process: ImageProcess | null): Promise<string> {
  return process === null ? "/root" : await homeOf(host, tree, ROOT.name) ?? "/";
}

/** ssh(1) needs the user's line of passwd(5), and takes the home from there. */
function passwdOf({ name, uid, gid }: MachineUser): string {
  const line = (name: string, uid: number, gid: number) =>
    `${name}:x:${uid}:${gid}::/${HELPER_HOME}:/bin/bash\n`;
  const own = uid === 0 ? "" : line(name, uid, gid);
  return `${line("root", 0, 0)}${own}nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n`;
}

function groupOf({ name, gid }: MachineUser): string {
  return `root:x:0:\n${gid === 0 ? "" : `${name}:x:${gid}:\n`}nogroup:x:65534:\n`;
}

function processLines(
  { workingDir }: ImageProcess,
  entry: string,
  environment: readonly string[],
): string {
  const path = environment.findLast((one) => one.startsWith("PATH="))?.slice("PATH=".length);
  return [
    `workdir=${quote(workingDir === "" ? "/" : workingDir)}`,
    `path=${quote(path ?? MINIMAL_ENVIRONMENT.PATH!)}`,
    `entry=${quote(entry)}`,
    `set --${environment.map(argument).join("")}`,
    "",
  ].join("\n");
}

function argument(word: string): string {
  return ` ${quote(word)}`;
}
