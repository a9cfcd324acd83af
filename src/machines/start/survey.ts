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
import type { MachinePlan } from "../record/plan.ts";
import { supervisorOfHost } from "../supervisor/choose.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

/** Facts about the host that decide how the machine starts. */
export interface HostSurvey {
  readonly kernel: KernelFacts;
  /** The process whose end also ends the machine; null where there is none. */
  readonly runner: ProcessId | null;
  readonly supervisor: Supervisor;
  /** Free bytes on the store's disk: `Infinity` where none are reserved, NaN where df(1) does not know. */
  readonly freeBytes: number;
}

/** The line between the facts and the process of GitLab Runner. */
const RUNNER = "runner";

/**
 * Arguments: a folder on the disk whose free space counts, or an empty text; `yes` to look for GitLab Runner; the files
 * with facts about the kernel.
 */
export const SURVEY_SCRIPT = `
disk=$1 finds_runner=$2
shift 2
cat -- "$@"
[ -z "$disk" ] || ${DF.join(" ")} "$disk"
echo ${RUNNER}
[ "$finds_runner" = yes ] || exit 0
${FIND_RUNNER_SCRIPT}`;

/** Surveys the host for a planned machine. */
export async function surveyHost(
  host: Host,
  { store, job: { watcher }, diskReserve }: MachinePlan,
): Promise<HostSurvey> {
  // `simulate` and `pipeline` name the process that plays GitLab Runner.
  const player = watcher === "gitlab-runner" ? Number(host.env("NSPAWN_RUNNER_PLAYER")) || 0 : 0;
  const findsRunner = watcher === "gitlab-runner" && player === 0 ? "yes" : "no";
  const words = [diskReserve === 0 ? "" : store, findsRunner, ...filesOfFacts(host)];
  const { stdout } = await host.processes.capture(["sh", "-c", SURVEY_SCRIPT, "sh", ...words]);
  const [facts = "", runner = ""] = stdout.split(`\n${RUNNER}\n`);
  const kernel = parseKernelFacts(facts);
  const found = parseStat(watcher === "self" ? kernel.stat : runner);
  return {
    kernel,
    runner: player === 0 ? found : await identify(host, player),
    supervisor: await supervisorOfHost(host),
    freeBytes: diskReserve === 0 ? Infinity : freeBytesOf(parseDiskSpace(facts)),
  };
}
