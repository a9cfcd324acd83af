/** Explains a job in full: what it was, how its time went, what it used, how it ended and why. */

import { formatDuration } from "../../text/duration.ts";
import { printable } from "../../text/printable.ts";
import { formatSize } from "../../text/size.ts";
import { formatTable } from "../../text/table.ts";
import type { FoundJob } from "../find_job.ts";
import { durationOf, type JobRecord, type Outcome } from "../record.ts";
import { adviseOn } from "./advice.ts";
import { drawTimeline } from "./timeline.ts";

/**
 * Returns the explanation of a job as text.
 *
 * @param attempts All attempts of the job, of which the first is explained.
 * @param mark The character of which bars are made; null for none.
 */
export function explainJob(attempts: readonly [FoundJob, ...FoundJob[]], mark: string | null) {
  const [{ record, state }, ...others] = attempts;
  const sections = [
    headOf(record).join("\n") + "\n",
    drawTimeline(record, mark),
    usageOf(record),
    servicesOf(record),
    [endOf(record, state), ...record.lines, ...(state === null ? adviseOn(record) : [])]
      .map((line) => `${line}\n`).join(""),
    others.map(({ record }) => `${earlierLine(record)}\n`).join(""),
  ];
  return printable(sections.filter((section) => section !== "").join("\n"));
}

function headOf(record: JobRecord): string[] {
  const { job, project, ref, isProtected, image, tree, generation, digest, wasPulled } = record;
  const { machine, network, storage, booted, host, program, began } = record;
  const isProtectedText = isProtected === null ? [] : [isProtected ? "protected" : "not protected"];
  return [
    [`Job ${job}`, ...(project ? [project] : []), ...(ref ? [ref] : []), ...isProtectedText]
      .join(", "),
    `Image ${image ?? "none"}` + (tree === null ? "" : `: ${
      [
        digest === null ? `chroot ${tree}` : tree,
        ...(generation === null ? [] : [`generation ${generation}`]),
        ...(digest === null
          ? []
          : [digest, wasPulled ? "pulled for this job" : "not pulled again"]),
      ].join(", ")
    }`),
    [
      `Machine ${machine}`,
      ...(network === null ? [] : [`network ${network}`, `storage ${storage}`]),
      ...(booted === null ? [] : [booted ? "booted" : "plain"]),
      `on ${host.name}` + (host.release === null ? "" : ` (${host.release})`),
      `nspawn-runner ${program}`,
    ].join(", "),
    `Began at ${began}, took ${formatDuration(durationOf(record))}`,
  ];
}

/** Rows without a value are left out. */
function usageOf({ usage, limits }: JobRecord): string {
  if (usage === null) return "";
  const { cpu, memoryPeak, memoryMax, tasksPeak, tasksMax, written, ioRead, ioWritten } = usage;
  const size = (bytes: number | null) => bytes === null ? null : formatSize(bytes);
  const rows: (readonly [string, string | null, string | null | undefined, string])[] = [
    ["CPU", cpu === null ? null : formatDuration(cpu / 1000), limits.cpu_quota, "limits.cpu_quota"],
    ["memory, at most", size(memoryPeak), size(memoryMax), "limits.memory_max"],
    ["tasks, at most", tasksPeak?.toString() ?? null, tasksMax?.toString(), "limits.tasks_max"],
    ["files", size(written), limits.disk_max, "limits.disk_max"],
    ["read from disk", size(ioRead), null, ""],
    ["written to disk", size(ioWritten), null, ""],
  ];
  const shown = rows.filter(([, used]) => used !== null).map(([name, used, limit, setting]) =>
    limit === null || limit === undefined || limit === "infinity"
      ? [name, used!, "none", ""]
      : [name, used!, limit, setting]
  );
  return shown.length === 0 ? "" : formatTable(["USED", "", "LIMIT", "SETTING"], shown);
}

function servicesOf({ services }: JobRecord): string {
  return services.map(({ image, aliases, code, failure }) => {
    const end = failure ?? (code === null ? "ran until the end" : `ended with ${code}`);
    return `Service ${image} (${aliases.join(", ")}): ${end}\n`;
  }).join("");
}

const ENDS: Readonly<Record<Outcome, string>> = {
  "success": "It succeeded",
  "failed": "It failed",
  "out-of-memory": "It failed for lack of memory",
  "timeout": "It was ended at its time-out",
  "cancelled": "It was cancelled",
  "refused": "It was refused",
  "host": "Its machine was not started",
  "lost": "Its machine was lost",
  "abandoned": "It was abandoned",
};

const STATES: Readonly<Record<NonNullable<FoundJob["state"]>, string>> = {
  preparing: "It is being prepared",
  running: "It runs",
  ended: "Its machine has ended; its cleanup has not been called",
  held: "Its files are kept",
};

function endOf({ outcome, code, reason, kept, machine }: JobRecord, state: FoundJob["state"]) {
  if (state !== null) return STATES[state];
  const failed = outcome === "failed" && code !== null ? ` with exit code ${code}` : "";
  const why = reason === null ? "" : `: ${reason}`;
  const files = kept === null
    ? ""
    : `\nIts files are kept until ${kept}: nspawn-runner shell ${machine.replace(/^run-/, "")}`;
  return `${ENDS[outcome]}${failed}${why}${files}`;
}

function earlierLine(record: JobRecord): string {
  return `Earlier attempt at ${record.began}: ${record.outcome}` +
    (record.reason === null ? "" : `, ${record.reason}`);
}
