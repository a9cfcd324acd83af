/** The hosts(5) file of a machine: that of its chroot, and the machine's own name. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { LOCALHOST_LINES } from "../../linux/localhost.ts";
import type { Bind } from "../record/caches.ts";
import type { MachinePaths } from "../record/paths.ts";

const HOSTS_PATH = "/etc/hosts";

/** Bytes; a larger file is not copied. */
const MAX_SIZE = 65_536;

/**
 * Writes a machine's hosts file, which jobs may change. It names the machine itself, since no name server of a
 * private network knows that name.
 *
 * @returns The bind of the file.
 */
export async function hostsFile(
  host: Host,
  tree: string,
  paths: MachinePaths,
  name: string,
): Promise<Bind> {
  const from = join(paths.own, "hosts");
  const own = `127.0.1.1\t${name}\n`;
  await host.files.write(from, `${await readHosts(host, tree)}${own}`, 0o644);
  return { from, to: HOSTS_PATH, readOnly: false, keepsDiskOwners: false };
}

/** Reads only a plain file: a link could lead to a file of the host. */
async function readHosts(host: Host, tree: string): Promise<string> {
  const path = join(tree, HOSTS_PATH);
  const isOwn =
    await host.files.real(path) === join(await host.files.real(tree) ?? tree, HOSTS_PATH);
  const stat = isOwn ? await host.files.lstat(path) : null;
  if (stat?.kind !== "file" || stat.size > MAX_SIZE) return LOCALHOST_LINES;
  const text = await host.files.read(path) ?? "";
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
