/** The report of a benchmark, as a table or as JSON. */

import type { Samples } from "./samples.ts";
import type { Target } from "./targets.ts";

/** Everything that a report contains. */
export interface Report {
  readonly samples: Samples;
  readonly targets: readonly Target[];
  /** Pairs of groups that are compared. */
  readonly beside: readonly (readonly [string, string])[];
  /** The conditions of the measurement, a line each. */
  readonly conditions: readonly string[];
  readonly notes: readonly string[];
  /** The unit of the table; samples are always in milliseconds. */
  readonly unit: "ms" | "s";
}

/** Returns the report as tables, one for each group. */
export function tableOf(report: Report): string {
  const { samples, beside, conditions, notes } = report;
  return [
    ...conditions,
    ...samples.groups().sort().flatMap((group) => groupLines(report, group)),
    ...beside.flatMap(([ours, peer]) => besideLines(report, ours, peer)),
    ...notes.map((note) => `\n${note}`),
    "",
  ].join("\n");
}

function groupLines({ samples, targets, unit }: Report, group: string): string[] {
  const own = targets.filter((target) => target.group === group);
  const time = inUnit(unit);
  const rows = samples.steps(group).map((step) => {
    const target = own.find((target) => target.step === step);
    const times = [0.5, 0.1, 0.9].map((share) => time(samples.ms(group, step, share)));
    const cells = [...times, time(samples.cpu(group, step)), `${samples.of(group, step).length}`];
    if (target === undefined) return row(step, ...cells);
    const { floor, ratio, limit, met } = target;
    return row(step, ...cells, time(floor), ratio.toFixed(2), time(limit), met ? "" : "missed");
  });
  const goal = own.length === 0 ? [] : ["floor", "ratio", "at most"];
  return ["", row(group, "median", "p10", "p90", "CPU", "n", ...goal), ...rows];
}

function besideLines({ samples, unit }: Report, ours: string, peer: string): string[] {
  const time = inUnit(unit);
  const common = samples.steps(ours).filter((step) => samples.of(peer, step).length > 0);
  const rows = common.map((step) => {
    const [ms, cpu] = [samples.ms, samples.cpu].map((median) => [
      median.call(samples, ours, step),
      median.call(samples, peer, step),
    ]) as [[number, number], [number, number]];
    return row(step, ...[ms, cpu].flatMap(([a, b]) => [time(a), time(b), (a / b).toFixed(2)]));
  });
  const head = row(`${ours} : ${peer}`, "ours", "peer", "ratio", "CPU", "peer", "ratio");
  return rows.length === 0 ? [] : ["", head, ...rows];
}

function row(name: string, ...cells: readonly string[]): string {
  return (name.padEnd(30) + cells.map((cell) => cell.padStart(9)).join("")).trimEnd();
}

function inUnit(unit: Report["unit"]): (ms: number) => string {
  return (ms) => Number.isNaN(ms) ? "" : unit === "ms" ? ms.toFixed(1) : (ms / 1000).toFixed(2);
}

/** Returns the report as JSON, with every measured cost. */
export function jsonOf({ samples, ...report }: Report): string {
  const groups = samples.groups().map((group) => {
    const steps = samples.steps(group).map((step) => [step, samples.of(group, step)]);
    return [group, Object.fromEntries(steps)];
  });
  return JSON.stringify({ ...report, samples: Object.fromEntries(groups) }, null, 2);
}

/** Prints a report to stdout. */
export async function printReport(report: Report, asJson: boolean): Promise<void> {
  const text = asJson ? `${jsonOf(report)}\n` : tableOf(report);
  await Deno.stdout.write(new TextEncoder().encode(text));
}
