/** Looks at a host before jobs do. */

import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import { columns } from "../text/table.ts";
import type { Check, Finding } from "./finding.ts";
import { helper, runners } from "./gitlab.ts";
import { filter, nspawn, supervisor, timers } from "./machines.ts";
import { network } from "./network.ts";
import { chroots, disk, quota, storage, store } from "./store.ts";
import { users } from "./users.ts";

const CHECKS: readonly Check[] = [
  nspawn,
  filter,
  supervisor,
  store,
  storage,
  quota,
  disk,
  chroots,
  users,
  network,
  helper,
  runners,
  timers,
];

/**
 * Checks a host.
 *
 * @param host The outside.
 * @param config The configuration, which was read without a complaint.
 * @returns All findings, in the order in which a job would meet them.
 */
export async function examine(host: Host, config: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of CHECKS) findings.push(...[await check(host, config)].flat());
  return findings;
}

/**
 * For people: a table, and below it what to do.
 *
 * @param findings What was found.
 * @returns The text.
 */
export function asReport(findings: readonly Finding[]): string {
  const rows = findings.map(({ topic, state, found }) => [topic, state, found.split("\n")[0]!]);
  const fixes = findings.filter(({ fix }) => fix !== null)
    .map(({ topic, state, fix }) => `${state}: ${topic}: ${fix}\n`);
  const table = columns(["WHAT", "STATE", "FOUND"], rows);
  return fixes.length === 0 ? table : `${table}\n${fixes.join("")}`;
}
