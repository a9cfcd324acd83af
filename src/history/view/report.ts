/** Writes statistics of jobs as text. */

import { formatDuration } from "../../text/duration.ts";
import { printable } from "../../text/printable.ts";
import { formatSize } from "../../text/size.ts";
import { formatTable } from "../../text/table.ts";
import type { Group, Spread, Statistics } from "./statistics.ts";

/** How many images and projects are listed. */
export const MAX_ROWS = 20;

/** A table with a title. */
export interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Returns statistics as tables. */
export function sectionsOf(statistics: Statistics): Section[] {
  const { all, outcomes, reasons, days, images, projects, parts, pulled } = statistics;
  const sections: Section[] = [
    {
      title: "How jobs ended",
      head: ["OUTCOME", "JOBS", "SHARE"],
      rows: Object.entries(outcomes).sort(([, one], [, other]) => other - one)
        .map(([outcome, count]) => [outcome, `${count}`, share(count, all.jobs)]),
    },
    {
      title: "Failures because of the host",
      head: ["REASON", "JOBS"],
      rows: reasons.map(([reason, count]) => [reason, `${count}`]),
    },
    {
      title: "By day",
      head: ["DAY", "JOBS", "FAILED", "OF HOST", "PREPARE", "95 %", ""],
      rows: days.map((day) => [...dayRow(day), day.isSlow ? "slow" : ""]),
    },
    {
      title: "By image",
      head: ["IMAGE", "JOBS", "PREPARE", "95 %", "BEFORE A SCRIPT", "95 %", "CLEANUP", "95 %"],
      rows: images.slice(0, MAX_ROWS).map((
        { name, jobs, prepare, overhead, cleanup },
      ) => [name, `${jobs}`, ...[prepare, overhead, cleanup].flatMap(timesOf)]),
    },
    {
      title: "By project",
      head: ["PROJECT", "JOBS", "FAILED", "TIME", "95 %", "CPU", "MEMORY", "95 %", "FILES"],
      rows: projects.slice(0, MAX_ROWS).map((
        { name, jobs, failed, time, cpu, memory, written },
      ) => [
        ...[name, `${jobs}`, `${failed}`, ...timesOf(time), formatDuration(cpu)],
        ...[...sizesOf(memory), written === null ? "-" : formatSize(written)],
      ]),
    },
    {
      title: "Parts of prepare",
      head: ["PART", "TIME", "95 %"],
      rows: parts.map(([part, spread]) => [part, ...timesOf(spread)]),
    },
    {
      title: "Images of registries",
      head: ["JOBS", "PULLED", "FOUND ON THE HOST"],
      rows: pulled.jobs === 0
        ? []
        : [[`${pulled.jobs}`, `${pulled.pulls}`, share(pulled.jobs - pulled.pulls, pulled.jobs)]],
    },
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

function dayRow({ name, jobs, failed, ofHost, prepare }: Group): string[] {
  return [name, `${jobs}`, `${failed}`, `${ofHost}`, ...timesOf(prepare)];
}

function timesOf({ half, most }: Spread): string[] {
  return [half, most].map((time) => time === null ? "-" : formatDuration(time));
}

function sizesOf({ half, most }: Spread): string[] {
  return [half, most].map((size) => size === null ? "-" : formatSize(size));
}

function share(count: number, all: number): string {
  return `${(count / all * 100).toFixed(1)} %`;
}

/** Returns statistics as text. */
export function reportText(statistics: Statistics): string {
  return sectionsOf(statistics).map(({ title, head, rows }) => {
    const cells = rows.map((row) => row.map((cell) => printable(cell)));
    return [title, "", formatTable(head, cells)].join("\n");
  }).join("\n");
}
