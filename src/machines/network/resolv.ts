/** The name servers that a machine can reach: not those on the host's loopback. */

import { join } from "@std/path/posix";
import { isAddress } from "../../config/checks.ts";
import type { Host } from "../../host/host.ts";
import type { Step } from "../../linux/mounts.ts";
import type { MachinePaths } from "../record/paths.ts";

/** The host's name servers, as in resolv.conf(5). */
export interface Resolvers {
  /** Addresses of the servers that are not on the host's loopback, in their order. */
  readonly servers: readonly string[];
  /** Whether the host has an /etc/resolv.conf, which nspawn copies into machines. */
  readonly hasFile: boolean;
  /** Whether that file names these servers and no others. */
  readonly isHostFile: boolean;
  /** Whether all servers of the host are on its loopback. */
  readonly onlyStubs: boolean;
  /** Whether the host's first file names only the stub of systemd-resolved(8), whose servers come and go with links. */
  readonly isStubOfResolved: boolean;
  /** The lines `search`, `domain` and `options`. */
  readonly options: readonly string[];
}

/** The host's own file, then those with the upstream servers of a stub: systemd-resolved(8), NetworkManager.conf(5). */
const FILES = [
  "/etc/resolv.conf",
  "/run/systemd/resolve/resolv.conf",
  "/run/NetworkManager/no-stub-resolv.conf",
];

/** Returns the host's name servers that machines can reach. */
export async function readResolvers(host: Host): Promise<Resolvers> {
  const texts = await Promise.all(FILES.map((file) => host.files.read(file).catch(() => null)));
  const all = texts.map((text) => parseResolvConf(text ?? ""));
  const best = all.find(({ servers }) => servers.length > 0);
  const onlyStubs = best === undefined && all.some((one) => one.onlyStubs);
  const hasFile = texts[0] !== null;
  return best === all[0] || best === undefined
    ? { ...all[0]!, onlyStubs, hasFile }
    : { ...best, isHostFile: false, hasFile, isStubOfResolved: all[0]!.isStubOfResolved };
}

function parseResolvConf(text: string): Omit<Resolvers, "hasFile"> {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const named = lines.filter(([word, value]) => word === "nameserver" && value !== undefined)
    .map(([, server]) => server!);
  const servers = named.filter((server) => isAddress(server) && !LOOPBACK.test(server));
  return {
    servers,
    isHostFile: servers.length === named.length,
    onlyStubs: servers.length === 0 && named.length > 0,
    isStubOfResolved: named.length > 0 && named.every((server) => RESOLVED_STUB.test(server)),
    options: lines.filter(([word = ""]) => ["search", "domain", "options"].includes(word))
      .map((words) => words.join(" ")),
  };
}

const RESOLVED_STUB = /^127\.0\.0\.5[34]$/;

/** Not reachable from machines. (An address with a zone, fe80::1%eth0, is none for isAddress().) */
const LOOPBACK = /^(?:127\.|0\.|::1$)/;

/**
 * Writes the resolv.conf(5) that nspawn copies into a machine in place of the host's.
 *
 * @returns The file's path; null where the host's own file serves, or the host has none, so that nspawn copies none.
 */
export async function resolvFile(
  host: Host,
  paths: MachinePaths,
  { servers, options, isHostFile, hasFile }: Resolvers,
): Promise<string | null> {
  if (isHostFile || !hasFile) return null;
  const file = join(paths.own, "resolv.conf");
  const lines = [...servers.map((server) => `nameserver ${server}`), ...options];
  await host.files.write(file, lines.map((line) => `${line}\n`).join(""), 0o644);
  return file;
}

/**
 * Returns the step before nspawn that binds another file over the host's resolv.conf(5): nspawn copies the host's, and no
 * other way gives the machine a copy that its programs may replace.
 *
 * @param file The file; null for the host's own.
 */
export function resolvConfSteps(file: string | null): Step[] {
  return file === null ? [] : [{ script: BIND_RESOLV_CONF_SCRIPT, args: [file] }];
}

/** Argument: the file. */
export const BIND_RESOLV_CONF_SCRIPT = `
mount --bind "$1" /etc/resolv.conf
shift
`;
