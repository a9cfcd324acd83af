/** Shows a pipeline while it runs. */

import type { Host } from "../../host/host.ts";
import type { Pipeline, PipelineJob } from "../model.ts";
import type { Progress } from "../run/run_jobs.ts";
import { type JobLines, jobLines } from "./job_lines.ts";
import { makeLogs } from "./logs.ts";
import { formatChanges, formatStatus } from "./progress.ts";
import { screenOn } from "./screen.ts";

export interface ShowOptions {
  /** Values that are not shown. */
  readonly masked: readonly string[];
  /** A new folder for the output of each job; undefined for the screen. */
  readonly logs: string | undefined;
  /** Where the screen is. Stdout may be for JSON. */
  readonly stream: "stdout" | "stderr";
}

export interface Show {
  /** Returns what takes the output of an attempt of a job. */
  job(job: PipelineJob): JobLines;
  /** Shows how far the jobs are. */
  progress(progress: Progress): void;
  end(): void;
}

/** Milliseconds between two looks of the overview on a terminal. */
const INTERVAL = 1000;

/** Returns what shows a pipeline. */
export async function showPipeline(
  host: Host,
  pipeline: Pipeline,
  { masked, logs, stream }: ShowOptions,
): Promise<Show> {
  const isTerminal = host.terminal.is(stream);
  const colored = isTerminal && !host.env("NO_COLOR");
  const screen = screenOn(host.terminal, stream, isTerminal);
  const prefixes = prefixesOf(pipeline, colored);
  const begun = new Map<string, number>();
  let latest: Progress = new Map();
  const draw = () => {
    const now = host.clock.monotonic();
    const seconds = (name: string) => Math.round((now - (begun.get(name) ?? now)) / 1000);
    screen.status(formatStatus(latest, seconds));
  };
  const stop = isTerminal ? every(host, INTERVAL, draw) : () => {};
  const files = logs === undefined
    ? null
    : await makeLogs(host, logs, pipeline.jobs.map(({ name }) => name));
  return {
    job({ name }) {
      begun.set(name, host.clock.monotonic());
      const prefix = prefixes.get(name)!;
      const onLine = files === null
        ? (line: string) => screen.line(prefix + line)
        : files.attempt(name);
      return jobLines({ masked, colored: colored && files === null, onLine });
    },
    progress(progress) {
      if (files !== null && !isTerminal) {
        for (const line of formatChanges(latest, progress)) screen.line(line);
      }
      latest = new Map(progress);
      draw();
    },
    end() {
      stop();
      screen.status("");
    },
  };
}

/** The colours of jobs: console_codes(4). */
const COLORS = [36, 35, 33, 34, 32, 96, 95, 93, 94, 92];

/** Characters of a name; a longer one widens only the lines of its own job. */
const WIDEST = 40;

/** Returns what stands before each line of a job. */
function prefixesOf({ jobs }: Pipeline, colored: boolean): ReadonlyMap<string, string> {
  const longest = jobs.reduce((most, { name }) => Math.max(most, name.length), 0);
  const width = Math.min(longest, WIDEST);
  return new Map(jobs.map(({ name }, index) => {
    const text = `${name.padEnd(width)} | `;
    return [name, colored ? `\x1b[${COLORS[index % COLORS.length]}m${text}\x1b[0m` : text];
  }));
}

/** Calls a function again and again, until the returned function is called. */
function every(host: Host, interval: number, call: () => void): () => void {
  let forget = () => {};
  const again = () => {
    forget = host.clock.after(interval, () => {
      call();
      again();
    });
  };
  again();
  return () => forget();
}
