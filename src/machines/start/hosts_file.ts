/** The hosts(5) file of a machine: configured names, those of its chroot, the machine's own, and those of the host. */

import { join } from "@std/path/posix";
import { isAddress } from "../../config/checks.ts";
import type { Host } from "../../host/host.ts";
import { LOCALHOST_LINES } from "../../linux/localhost.ts";
import type { Bind } from "../record/caches.ts";
import type { MachinePaths } from "../record/paths.ts";

const HOSTS_PATH = "/etc/hosts";

/** Its name among the files that the machine may write. */
const HOSTS_FILE = "hosts";

/** Bytes; a larger file is not copied. */
const MAX_SIZE = 65_536;

/**
 * Writes a machine's hosts file, which jobs may change. It names the machine itself, since no name server of a
 * private network knows that name. The last names are those of the host, which has names that no name server knows.
 *
 * @param extra Names with addresses, `NAME:ADDRESS`.
 * @returns The bind of the file.
 */
export async function hostsFile(
  host: Host,
  tree: string,
  paths: MachinePaths,
  name: string,
  extra: readonly string[],
): Promise<Bind> {
  const from = join(paths.own, HOSTS_FILE);
  const [own, ofHost] = await Promise.all([readHosts(host, tree), namesOfHost(host)]);
  const configured = extra.map((one) => one.replace(/^([^:]*):(.*)$/, "$2\t$1\n")).join("");
  await host.files.write(from, `${configured}${own}127.0.1.1\t${name}\n${ofHost}`, 0o644);
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

/** Addresses that mean something else in a machine, or that every hosts file has: loopback, unspecified, multicast. */
const LOCAL = /^(?:127\.|0\.|::1?$|f[ef])/i;

/** Returns the lines of the host's own file that are right in a machine as well. */
async function namesOfHost(host: Host): Promise<string> {
  const text = await host.files.read(HOSTS_PATH).catch(() => null) ?? "";
  if (text.length > MAX_SIZE) return "";
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/));
  return lines.filter(([address = "", name]) =>
    isAddress(address) && !LOCAL.test(address) && name !== undefined
  )
    .map(([address, ...names]) => `${address}\t${names.join(" ")}\n`).join("");
}

/**
 * Puts further lines before those of a machine's hosts file. The machine runs, but nothing in it that needs them: the file
 * stays the same one, since it is bind-mounted.
 */
export async function addHosts(
  host: Host,
  { own }: MachinePaths,
  lines: readonly string[],
): Promise<void> {
  const path = join(own, HOSTS_FILE);
  // Programs of a booted machine may have changed it already.
  const text = await host.files.readEnd(path, 4 * MAX_SIZE) ?? "";
  await host.files.write(path, `${lines.map((line) => `${line}\n`).join("")}${text}`, 0o644);
}
