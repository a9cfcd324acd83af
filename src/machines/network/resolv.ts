/** Name servers that a machine can reach: a stub on the host's loopback is out of its reach. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import type { Bind } from "../folders.ts";
import type { MachinePaths } from "../paths.ts";

/** What the host asks, as resolv.conf(5). */
export interface Resolvers {
  /** Addresses of servers beyond the host's loopback, in their order. */
  readonly servers: readonly string[];
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
  return best ?? { servers: [], onlyStubs: all.some(({ onlyStubs }) => onlyStubs), options: [] };
}

function parse(text: string): Resolvers {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const named = lines.filter(([word, value]) => word === "nameserver" && value !== undefined)
    .map(([, server]) => server!);
  const servers = named.filter((server) => SERVER.test(server) && !OWN.test(server));
  return {
    servers,
    onlyStubs: servers.length === 0 && named.length > 0,
    options: lines.filter(([word = ""]) => ["search", "domain", "options"].includes(word))
      .map((words) => words.join(" ")),
  };
}

/** One with a zone, fe80::1%eth0, is of the host's own links. */
const SERVER = /^[0-9a-fA-F.:]+$/;
const OWN = /^(?:127\.|0\.|::1$)/;

/**
 * Lays out a machine's resolv.conf(5). Jobs may write to it.
 *
 * @param host The outside.
 * @param paths The machine's places; its folder exists.
 * @param resolvers What it asks.
 * @returns What binds it.
 */
export async function resolvFile(
  host: Host,
  paths: MachinePaths,
  { servers, options }: Resolvers,
): Promise<Bind> {
  const from = join(paths.folder, "resolv.conf");
  const lines = [...servers.map((server) => `nameserver ${server}`), ...options];
  await host.files.write(from, lines.map((line) => `${line}\n`).join(""), 0o644);
  return { from, to: "/etc/resolv.conf", readOnly: false, sameOwners: false };
}
