/** Writes statistics of jobs as one page of HTML, with plots as inline SVG, without scripts and without network. */

import { formatDuration } from "../../text/duration.ts";
import type { Outcome } from "../record.ts";
import { MAX_ROWS, type Section, sectionsOf } from "./report.ts";
import type { Day, Statistics } from "./statistics.ts";

/** The colours of outcomes, which also people can tell apart who do not see all colours. */
export const COLORS: Readonly<Record<Outcome, string>> = {
  "success": "#2f9e6e",
  "failed": "#e0a030",
  "out-of-memory": "#b07aa1",
  "timeout": "#7f6f5f",
  "cancelled": "#9aa5b1",
  "refused": "#5b8fd6",
  "host": "#c0392b",
  "lost": "#8e1b4f",
  "abandoned": "#e4717a",
};

const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-size: .75rem; opacity: .7; } tr + tr td { border-top: 1px solid #8883; }
svg { width: 100%; height: auto; } svg text { fill: currentColor; font-size: 11px; }
.legend span { display: inline-block; margin-right: 1rem; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; }
footer { margin-top: 3rem; opacity: .7; font-size: .85rem; }
`;

/** What the page tells of itself. */
export interface PageFacts {
  readonly host: string;
  readonly program: string;
  /** The begin and the end of the time, as ISO 8601. */
  readonly since: string;
  readonly until: string;
  /** Lines of the history that cannot be read. */
  readonly broken: number;
}

/** Returns the page. */
export function reportPage(statistics: Statistics, facts: PageFacts): string {
  const { all, days, projects } = statistics;
  const title = `CI jobs of ${facts.host}`;
  const plots = days.length === 0 ? [] : [
    plot("Jobs by day and outcome", jobsPlot(days) + legend(days)),
    plot("Prepare by day: median and 95th percentile", preparePlot(days)),
    plot("CPU time by project", barsPlot(projects.slice(0, MAX_ROWS / 2))),
  ];
  const broken = facts.broken === 0 ? "" : `, and ${facts.broken} lines that cannot be read`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(title)}</h1>
<p>${all.jobs} jobs that ended from ${escape(facts.since)} to ${escape(facts.until)}${broken}.</p>
${[...plots, ...sectionsOf(statistics).map(table)].join("\n")}
<footer>nspawn-runner ${escape(facts.program)}</footer>
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function plot(title: string, content: string): string {
  return `<h2>${escape(title)}</h2>\n${content}`;
}

function table({ title, head, rows }: Section): string {
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join("")}</tr>`;
  const lines = [line(head, "th"), ...rows.map((row) => line(row, "td"))];
  return `${plot(title, "")}<table>\n${lines.join("\n")}\n</table>`;
}

/** The size of a plot, and where its values are in it. */
const WIDTH = 960;
const HEIGHT = 220;
const LEFT = 70;
const BOTTOM = 24;
const TOP = 10;

/** Returns the height of a value from the bottom of the plot. */
function heightOf(value: number, most: number): number {
  return value / Math.max(most, 1e-9) * (HEIGHT - BOTTOM - TOP);
}

function svg(label: string, height: number, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${
    escape(label)
  }">${content}</svg>`;
}

function text(x: number, y: number, content: string, anchor = "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${
    escape(content)
  }</text>`;
}

/** Returns lines with values, and the days below the plot. */
function axes(days: readonly Day[], most: number, format: (value: number) => string): string {
  const lines = [0, 0.5, 1].map((part) => {
    const y = HEIGHT - BOTTOM - heightOf(part, 1);
    return `<line x1="${LEFT}" x2="${WIDTH}" y1="${y}" y2="${y}" stroke="currentColor" ` +
      `stroke-opacity=".2"/>${text(LEFT - 6, y + 4, format(part * most))}`;
  });
  const step = Math.ceil(days.length / 12);
  const names = days.map(({ name }, index) =>
    index % step === 0 ? text(middleOf(index, days), HEIGHT - 6, name.slice(5), "middle") : ""
  );
  return [...lines, ...names].join("");
}

function middleOf(index: number, { length }: readonly Day[]): number {
  return LEFT + (WIDTH - LEFT) / length * (index + 0.5);
}

const OUTCOMES = Object.keys(COLORS) as Outcome[];

function jobsPlot(days: readonly Day[]): string {
  const most = Math.max(...days.map(({ jobs }) => jobs));
  const width = Math.min(60, (WIDTH - LEFT) / days.length * 0.8);
  const bars = days.map((day, index) => {
    let y = HEIGHT - BOTTOM;
    return OUTCOMES.map((outcome) => {
      const count = day.outcomes[outcome] ?? 0;
      if (count === 0) return "";
      const height = heightOf(count, most);
      y -= height;
      const x = middleOf(index, days) - width / 2;
      return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" ` +
        `height="${height.toFixed(1)}" fill="${COLORS[outcome]}">` +
        `<title>${escape(`${day.name}: ${count} ${outcome}`)}</title></rect>`;
    }).join("");
  });
  const label = "Jobs by day and outcome";
  return svg(label, HEIGHT, axes(days, most, (value) => value.toFixed(0)) + bars.join(""));
}

function legend(days: readonly Day[]): string {
  const shown = OUTCOMES.filter((outcome) => days.some(({ outcomes }) => outcomes[outcome]));
  const entries = shown.map((outcome) =>
    `<span><i style="background:${COLORS[outcome]}"></i>${outcome}</span>`
  );
  return `<p class="legend">${entries.join("")}</p>`;
}

function preparePlot(days: readonly Day[]): string {
  const most = Math.max(...days.map(({ prepare }) => prepare.most ?? 0));
  const line = (key: "half" | "most", color: string) => {
    const points = days.flatMap(({ prepare }, index) => {
      const value = prepare[key];
      if (value === null) return [];
      const y = HEIGHT - BOTTOM - heightOf(value, most);
      return [[middleOf(index, days).toFixed(1), y.toFixed(1)] as const];
    });
    const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${color}"/>`);
    const path = points.map((point) => point.join(",")).join(" ");
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>` +
      dots.join("");
  };
  const lines = line("most", COLORS.failed) + line("half", COLORS.success);
  return svg("Prepare by day", HEIGHT, axes(days, most, formatDuration) + lines);
}

function barsPlot(projects: Statistics["projects"]): string {
  const row = 24;
  const names = 300;
  const most = Math.max(...projects.map(({ cpu }) => cpu));
  const bars = projects.map(({ name, cpu }, index) => {
    const y = index * row;
    const width = cpu / Math.max(most, 1e-9) * (WIDTH - names - 90);
    const short = name.length > 44 ? `…${name.slice(-43)}` : name;
    return text(names - 8, y + 16, short) +
      `<rect x="${names}" y="${y + 4}" width="${width.toFixed(1)}" height="${row - 8}" ` +
      `fill="${COLORS.refused}"/>` +
      text(names + width + 6, y + 16, formatDuration(cpu), "start");
  });
  return svg("CPU time by project", Math.max(1, projects.length) * row, bars.join(""));
}
