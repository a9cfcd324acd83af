/** A machine's hosts(5): it knows its own name. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { LOCALHOST } from "../../linux/localhost.ts";
import type { Bind } from "../record/caches.ts";
import type { MachinePaths } from "../record/paths.ts";

/** Where the machine sees it. */
const PLACE = "/etc/hosts";

/** More bytes than anybody writes into such a file by hand. */
const MOST = 65_536;

/**
 * Lays out the machine's own hosts file: that of its chroot, and its own name, which no lookup on a private
 * network would find. Jobs may write to it.
 *
 * @param host The outside.
 * @param tree The chroot's tree.
 * @param paths The machine's places; the folder of what it may write exists.
 * @param name The machine's host name.
 * @returns What binds it.
 */
export async function hostsFile(
  host: Host,
  tree: string,
  paths: MachinePaths,
  name: string,
): Promise<Bind> {
  const from = join(paths.own, "hosts");
  const own = `127.0.1.1\t${name}\n`;
  await host.files.write(from, `${await hostsOf(host, tree)}${own}`, 0o644);
  return { from, to: PLACE, readOnly: false, sameOwners: false };
}

/** A link could lead to a file of the host. */
async function hostsOf(host: Host, tree: string): Promise<string> {
  const path = join(tree, PLACE);
  const isOwn = await host.files.real(path) === join(await host.files.real(tree) ?? tree, PLACE);
  const stat = isOwn ? await host.files.lstat(path) : null;
  if (stat?.kind !== "file" || stat.size > MOST) return LOCALHOST;
  const text = await host.files.read(path) ?? "";
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
