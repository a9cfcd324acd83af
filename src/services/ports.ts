/** The ports by which a service shows that it is ready. */

import { refused } from "../failure.ts";

/** Docker's executor checks no more: getContainerExposedPorts() in executors/docker/services.go. */
const MOST_PORTS = 20;

const LAST_PORT = 65_535;

/**
 * Returns the TCP ports of which one that accepts connections shows that a service is ready, the lowest first: those that
 * its image exposes, or the one of the variable HEALTHCHECK_TCP_PORT, in upper case or lower case.
 *
 * @param exposed `PORT[/PROTOCOL]` or `FIRST-LAST[/PROTOCOL]`, as in the configuration of an image.
 * @param environment `NAME=VALUE`; of several entries the first counts.
 * @throws {Failure} where the variable is no port.
 */
export function portsToCheck(
  exposed: readonly string[],
  environment: readonly string[],
): readonly number[] {
  const entry = environment.find((one) => /^HEALTHCHECK_TCP_PORT=/i.test(one));
  if (entry !== undefined) return [portIn(entry)];
  const ports = new Set(exposed.flatMap(portsOf));
  return [...ports].sort((a, b) => a - b).slice(0, MOST_PORTS);
}

function portIn(entry: string): number {
  const text = entry.slice(entry.indexOf("=") + 1);
  if (/^\d{1,5}$/.test(text) && isPort(Number(text))) return Number(text);
  throw refused(
    `Cannot use HEALTHCHECK_TCP_PORT=${JSON.stringify(text.slice(0, 50))}: it is no port`,
    `Set it to a number from 1 to ${LAST_PORT}, or remove it`,
  );
}

/** Returns the lowest ports of an entry, as many as count. */
function portsOf(entry: string): number[] {
  const [, first, last = first] = entry.match(/^(\d{1,5})(?:-(\d{1,5}))?(?:\/tcp)?$/i) ?? [];
  if (first === undefined) return [];
  const count = Math.max(0, Math.min(MOST_PORTS, Number(last) - Number(first) + 1));
  return Array.from({ length: count }, (_, index) => Number(first) + index).filter(isPort);
}

function isPort(port: number): boolean {
  return port >= 1 && port <= LAST_PORT;
}
