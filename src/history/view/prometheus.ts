/** The text format of Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/. */

import { BOUNDS, type Histogram, type Timed } from "../counts.ts";

/** The values of one metric. */
export interface Family {
  /** Without the prefix of this program. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** One value. */
export interface Sample {
  /** What follows the name of the metric, as `_bucket`. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

const PREFIX = "nspawn_runner_";

/** Returns metrics as text; those without a value are left out. */
export function formatMetrics(families: readonly Family[]): string {
  return families.filter(({ samples }) => samples.length > 0).map((family) => {
    const name = PREFIX + family.name;
    const lines = [
      `# HELP ${name} ${family.help}`,
      `# TYPE ${name} ${family.type}`,
      ...family.samples.map(({ suffix = "", labels = {}, value }) =>
        `${name}${suffix}${formatLabels(labels)} ${formatValue(value)}`
      ),
    ];
    return lines.map((line) => `${line}\n`).join("");
  }).join("");
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function formatValue(value: number): string {
  return value === Infinity ? "+Inf" : `${value}`;
}

/** Returns the metric of a histogram. */
export function histogramFamily(
  name: string,
  help: string,
  timed: Timed,
  { buckets, sum }: Histogram,
): Family {
  const bounds = [...BOUNDS[timed], Infinity];
  return {
    ...{ name, help, type: "histogram" },
    samples: [
      ...bounds.map((bound, index) => ({
        suffix: "_bucket",
        labels: { le: formatValue(bound) },
        value: buckets[index]!,
      })),
      { suffix: "_sum", value: sum },
      { suffix: "_count", value: buckets.at(-1)! },
    ],
  };
}
