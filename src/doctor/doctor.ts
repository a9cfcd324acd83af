/** Checks whether this host can run jobs, and how well. */

import { listChroots } from "../chroots/find/list.ts";
import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import { formatTable } from "../text/table.ts";
import { buildNamespaces } from "./builds.ts";
import { devices } from "./devices.ts";
import { caches, diskLimit, diskReserve, freeDisk } from "./disk.ts";
import type { Check, Finding } from "./finding.ts";
import { gitlabRunner, runners } from "./gitlab.ts";
import { hostUsers } from "./host_users.ts";
import { helperRoot, images, imageTools } from "./images.ts";
import { kernelSettings } from "./kernel_settings.ts";
import { network } from "./network.ts";
import { processes } from "./processes.ts";
import { chroots, otherHosts, storage, store } from "./store.ts";
import { swap } from "./swap.ts";
import { inotify, limits, nspawn, runnerService, seccomp, timers } from "./systemd.ts";
import { userNamespaces } from "./user_namespaces.ts";
import { weakChroots, weakConfiguration } from "./weakenings.ts";

/** All checks, in the order in which a job meets what they check. */
const CHECKS: readonly Check[] = [
  nspawn,
  seccomp,
  kernelSettings,
  limits,
  processes,
  devices,
  inotify,
  swap,
  store,
  otherHosts,
  storage,
  diskLimit,
  freeDisk,
  diskReserve,
  caches,
  imageTools,
  helperRoot,
  images,
  chroots,
  userNamespaces,
  buildNamespaces,
  hostUsers,
  network,
  weakConfiguration,
  weakChroots,
  gitlabRunner,
  runnerService,
  runners,
  timers,
];

/** Runs all checks of the host. */
export async function checkHost(host: Host, config: Config): Promise<Finding[]> {
  const entries = await listChroots(host, config);
  const findings: Finding[] = [];
  for (const check of CHECKS) findings.push(...[await check(host, config, entries)].flat());
  return findings;
}

/** Returns the findings as a table, and below it the fixes. */
export function asReport(findings: readonly Finding[]): string {
  const rows = findings.map(({ topic, state, found }) => [topic, state, found.split("\n")[0]!]);
  const fixes = findings.filter(({ fix }) => fix !== null)
    .map(({ topic, state, fix }) => `${state}: ${topic}: ${fix}\n`);
  const table = formatTable(["WHAT", "STATE", "FOUND"], rows);
  return fixes.length === 0 ? table : `${table}\n${fixes.join("")}`;
}
