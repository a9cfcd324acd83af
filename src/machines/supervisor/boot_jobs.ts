/** What the systemd of a machine waits for while it boots. */

import type { Host } from "../../host/host.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { ANSWER_SECONDS, questionArgv } from "../exec/enter.ts";
import { inspectInitProcess } from "../nspawn/init_process.ts";
import type { Lease } from "../record/lease.ts";

/** More units than a line should name. */
const MAX_UNITS = 5;

/**
 * Returns the units that a machine's systemd is starting; none where it does not tell.
 *
 * @param pid The process id of the machine's PID 1; null where it is unknown.
 */
export async function runningBootJobs(
  host: Host,
  lease: Lease,
  pid: number | null,
): Promise<string[]> {
  const leader = pid === null ? null : await inspectInitProcess(host, pid);
  // nspawn sets no_new_privs last: a command that enters before would keep every capability.
  if (leader === null || lease.ids === null && !leader.noNewPrivileges) return [];
  const argv = questionArgv({ lease, leader }, ANSWER_SECONDS, LIST_JOBS);
  const { stdout } = await host.processes.capture(argv, { env: MINIMAL_ENVIRONMENT });
  const running = [...stdout.matchAll(/^ *\d+ +([\w:.@\\-]+) +start +running *$/gm)];
  return running.slice(0, MAX_UNITS).map(([, unit]) => unit!);
}

/** It answers without D-Bus, which may not run yet. */
const LIST_JOBS = ["systemctl", "list-jobs", "--no-legend", "--no-pager", "--plain"];
