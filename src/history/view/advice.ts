/** Advises on a job: which setting or which look elsewhere would have helped. */

import { formatDuration } from "../../text/duration.ts";
import { formatSize } from "../../text/size.ts";
import { callOf, type JobRecord } from "../record.ts";

/** Returns advice on a job, one piece a line, beside the explanations that its log has. */
export function adviseOn(record: JobRecord): string[] {
  return [
    ...adviceOnOutcome(record),
    ...adviceOnCode(record),
    ...adviceOnLimits(record),
    ...adviceOnPrepare(record),
  ];
}

const JOURNAL = "journalctl -u gitlab-runner";

function adviceOnOutcome(record: JobRecord): string[] {
  const { outcome, machine, reason, lines } = record;
  switch (outcome) {
    case "abandoned":
      return reason === "the host was rebooted"
        ? []
        : [`See what became of GitLab Runner and its calls: ${JOURNAL}`];
    case "lost":
      return [`See what ended the machine: journalctl -u nspawn-runner-${machine}.service`];
    case "host":
      return lines.length > 0
        ? []
        : [`Check the host: nspawn-runner doctor${machineOption(record)}`];
    case "refused":
      return lines.length > 0 ? [] : ["Change the job, or the configuration: nspawn-runner config"];
    default:
      return [];
  }
}

/** Returns the option by which doctor tries a job's image, too; a job's text is no part of a command line. */
function machineOption({ tree, image }: JobRecord): string {
  const name = tree ?? image ?? "";
  return /^[\w.:/@-]+$/.test(name) ? ` --machine ${name}` : "";
}

/** Exit codes that shells give a meaning of their own: POSIX, 2.8.2 of Shell & Utilities. */
const CODES: Readonly<Record<number, string>> = {
  126: "Exit code 126: a program of the script is no executable",
  127: "Exit code 127: the image has no program of a name in the script",
  137: "Exit code 137: SIGKILL ended a program of the script, and not for a limit of the machine",
  139: "Exit code 139: a program of the script crashed (SIGSEGV)",
};

function adviceOnCode({ outcome, code }: JobRecord): string[] {
  const meaning = outcome === "failed" && code !== null ? CODES[code] : undefined;
  return meaning === undefined ? [] : [meaning];
}

/** A peak above this share of its limit is close to it. */
const CLOSE = 0.95;

/** Microseconds of waiting for memory that slow a job down. */
const LONG_STALL = 1e6;

/** What a log explains already is not repeated. */
function adviceOnLimits({ outcome, usage, lines }: JobRecord): string[] {
  if (usage === null) return [];
  const { memoryPeak, memoryMax, oomKills, memoryStalled, tasksPeak, tasksMax } = usage;
  const explains = (setting: string) => lines.some((line) => line.includes(setting));
  const advice: string[] = [];
  if (outcome !== "out-of-memory" && !explains("memory_max")) {
    if ((oomKills ?? 0) > 0) {
      advice.push(`Processes killed for lack of memory: ${oomKills}. Raise limits.memory_max`);
    } else if (isClose(memoryPeak, memoryMax)) {
      advice.push(`Memory came close to ${formatSize(memoryMax!)}. Raise limits.memory_max`);
    }
  }
  if ((memoryStalled ?? 0) > LONG_STALL && !explains("memory_high")) {
    const waited = formatDuration(memoryStalled! / 1000);
    advice.push(`The job waited ${waited} for memory. Raise limits.memory_high`);
  }
  if (isClose(tasksPeak, tasksMax) && !explains("tasks_max")) {
    advice.push(`Processes and threads came close to ${tasksMax}. Raise limits.tasks_max`);
  }
  return advice;
}

function isClose(peak: number | null, limit: number | null): boolean {
  return peak !== null && limit !== null && peak > limit * CLOSE;
}

/** Milliseconds that a part of prepare takes at most on a host without trouble. */
const LONG_QUEUE = 2_000;
const LONG_SURVEY = 5_000;
const LONG_PULL = 20_000;

function adviceOnPrepare(record: JobRecord): string[] {
  const { queue = 0, host = 0, image = 0 } = callOf(record, "prepare")?.parts ?? {};
  const advice: string[] = [];
  if (queue > LONG_QUEUE) {
    advice.push(
      `prepare waited ${formatDuration(queue)} for other starts. Lower concurrent of GitLab Runner`,
    );
  }
  if (host > LONG_SURVEY) {
    advice.push(
      `prepare examined the host and ended leftovers of crashed jobs for ${
        formatDuration(host)
      }. ` +
        "Let a timer end them, which doctor checks: nspawn-runner doctor",
    );
  }
  if (image > LONG_PULL) {
    advice.push(
      record.wasPulled
        ? `The pull took ${formatDuration(image)}. Pull the image before: nspawn-runner image-pull`
        : `prepare waited ${formatDuration(image)} for the image, its registry or the helper root`,
    );
  }
  return advice;
}
