/** Surveys the host before a machine starts, by one process: to start one takes longer than what it does. */

import type { Host } from "../../host/host.ts";
import { DF, parseDiskSpace } from "../../linux/disk.ts";
import {
  filesOfFacts,
  FIND_RUNNER_SCRIPT,
  identify,
  type KernelFacts,
  parseKernelFacts,
  parseStat,
  type ProcessId,
} from "../../linux/proc.ts";
import { freeBytesOf } from "../end/free_space.ts";
import { supervisorOfHost } from "../supervisor/choose.ts";
import { INOTIFY_FILE } from "../supervisor/host_tables.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

/** Facts about the host that decide how a machine starts. */
export interface HostSurvey {
  readonly kernel: KernelFacts;
  /** GitLab Runner that called this process, or the process that plays it; null where there is none. */
  readonly gitlabRunner: ProcessId | null;
  readonly supervisor: Supervisor;
  /** Free bytes on the store's disk: `Infinity` where none are reserved, NaN where df(1) does not know. */
  readonly freeBytes: number;
  /** Inotify instances that a user may have: `Infinity` where the kernel has no limit. */
  readonly inotifyInstances: number;
}

/** The line between the facts and the process of GitLab Runner. */
const RUNNER = "runner";

/**
 * Arguments: a folder on the disk whose free space counts, or an empty text; the files with facts about the kernel.
 */
export const SURVEY_SCRIPT = `
disk=$1
shift
cat -- "$@"
[ -z "$disk" ] || ${DF.join(" ")} "$disk"
echo ${RUNNER}
${FIND_RUNNER_SCRIPT}`;

/** Surveys the host for a machine on that store. */
export async function surveyHost(
  host: Host,
  store: string,
  diskReserve: number,
): Promise<HostSurvey> {
  const words = [diskReserve === 0 ? "" : store, ...filesOfFacts(host), INOTIFY_FILE];
  const { stdout } = await host.processes.capture(["sh", "-c", SURVEY_SCRIPT, "sh", ...words]);
  const [facts = "", runner = ""] = stdout.split(`\n${RUNNER}\n`);
  // `simulate` and `pipeline` name the process that plays GitLab Runner.
  const player = Number(host.env("NSPAWN_RUNNER_PLAYER")) || 0;
  return {
    kernel: parseKernelFacts(facts),
    gitlabRunner: player === 0 ? parseStat(runner) : await identify(host, player),
    supervisor: await supervisorOfHost(host),
    freeBytes: diskReserve === 0 ? Infinity : freeBytesOf(parseDiskSpace(facts)),
    inotifyInstances: Number(facts.match(/^\d+$/m)?.[0] ?? Infinity),
  };
}
