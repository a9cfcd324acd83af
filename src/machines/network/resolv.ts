/** Name servers that a machine can reach: a stub on the host's loopback is out of its reach. */

import { join } from "@std/path/posix";
import { isAddress } from "../../config/checks.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { MachinePaths } from "../record/paths.ts";

/** What the host asks, as resolv.conf(5). */
export interface Resolvers {
  /** Addresses of servers beyond the host's loopback, in their order. */
  readonly servers: readonly string[];
  /** Whether the host has a file of its own, of which nspawn makes a copy. */
  readonly hasFile: boolean;
  /** Whether it says just that. */
  readonly isHosts: boolean;
  /** Whether the host has servers, and all of them are on its loopback. */
  readonly onlyStubs: boolean;
  /** The other lines that count. */
  readonly options: readonly string[];
}

/** What the host asks itself, then where stubs say whom they ask: systemd-resolved(8), NetworkManager.conf(5). */
const FILES = [
  "/etc/resolv.conf",
  "/run/systemd/resolve/resolv.conf",
  "/run/NetworkManager/no-stub-resolv.conf",
];

/**
 * The name servers of the host.
 *
 * @param host The outside.
 * @returns Those that machines can be told.
 */
export async function readResolvers(host: Host): Promise<Resolvers> {
  const texts = await Promise.all(FILES.map((file) => host.files.read(file).catch(() => null)));
  const all = texts.map((text) => parse(text ?? ""));
  const best = all.find(({ servers }) => servers.length > 0);
  const onlyStubs = best === undefined && all.some((one) => one.onlyStubs);
  const hasFile = texts[0] !== null;
  return best === all[0] || best === undefined
    ? { ...all[0]!, onlyStubs, hasFile }
    : { ...best, isHosts: false, hasFile };
}

function parse(text: string): Omit<Resolvers, "hasFile"> {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const named = lines.filter(([word, value]) => word === "nameserver" && value !== undefined)
    .map(([, server]) => server!);
  const servers = named.filter((server) => isAddress(server) && !OWN.test(server));
  return {
    servers,
    isHosts: servers.length === named.length,
    onlyStubs: servers.length === 0 && named.length > 0,
    options: lines.filter(([word = ""]) => ["search", "domain", "options"].includes(word))
      .map((words) => words.join(" ")),
  };
}

/** What no machine reaches; one with a zone, fe80::1%eth0, of the host's own links, is no address alone. */
const OWN = /^(?:127\.|0\.|::1$)/;

/**
 * Lays out what nspawn is to copy into a machine, where that is not what the host itself has. It takes the
 * host's file for it: where there is none, nothing is copied.
 *
 * @param host The outside.
 * @param paths The machine's places; the folder of what it may write exists.
 * @param resolvers What the machine asks.
 * @returns The file's path; null where the host's own is right.
 */
export async function resolvFile(
  host: Host,
  paths: MachinePaths,
  { servers, options, isHosts, hasFile }: Resolvers,
): Promise<string | null> {
  if (isHosts || !hasFile) return null;
  const file = join(paths.own, "resolv.conf");
  const lines = [...servers.map((server) => `nameserver ${server}`), ...options];
  await host.files.write(file, lines.map((line) => `${line}\n`).join(""), 0o644);
  return file;
}

/**
 * A command line that runs another one where the host's resolv.conf(5) is another file: nspawn copies that
 * one alone, and what is copied a program in the machine may replace.
 *
 * @param file The file; null for the host's own.
 * @param argv What runs there.
 * @returns The words.
 */
export function withResolvConf(file: string | null, argv: Argv): Argv {
  if (file === null) return argv;
  return [
    ...["unshare", "--mount", "--propagation=private", "sh", "-c", BIND_RESOLV_CONF_SCRIPT, "sh"],
    file,
    ...argv,
  ] as const;
}

/** Arguments: the file, the command. */
export const BIND_RESOLV_CONF_SCRIPT = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
