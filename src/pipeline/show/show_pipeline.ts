/** Shows a pipeline while it runs. */

import { join } from "@std/path/posix";
import { messageOf, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Pipeline, PipelineJob } from "../model.ts";
import type { Progress } from "../run/run_jobs.ts";
import { type JobLines, jobLines } from "./job_lines.ts";
import { formatStatus } from "./progress.ts";
import { screenOn } from "./screen.ts";

export interface ShowOptions {
  /** Values that are not shown. */
  readonly masked: readonly string[];
  /** A folder for the output of each job; undefined for the screen. */
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
    const seconds = (name: string) =>
      Math.round((host.clock.monotonic() - (begun.get(name) ?? 0)) / 1000);
    screen.status(formatStatus(latest, seconds));
  };
  const stop = isTerminal ? every(host, INTERVAL, draw) : () => {};
  if (logs !== undefined) await makeFolder(host, logs);
  const write = (path: string, text: string) => {
    host.files.append(path, text, 0o644).catch((error) =>
      host.log.warn(`Output is lost: cannot write ${path}: ${messageOf(error)}`)
    );
  };
  return {
    job({ name }) {
      begun.set(name, host.clock.monotonic());
      const prefix = prefixes.get(name)!;
      const onLine = logs === undefined
        ? (line: string) => screen.line(prefix + line)
        : (line: string) => write(join(logs, fileNameOf(name)), `${line}\n`);
      return jobLines({ masked, colored: colored && logs === undefined, onLine });
    },
    progress(progress) {
      latest = progress;
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

/** Returns what stands before each line of a job. */
function prefixesOf({ jobs }: Pipeline, colored: boolean): ReadonlyMap<string, string> {
  const width = Math.max(0, ...jobs.map(({ name }) => name.length));
  return new Map(jobs.map(({ name }, index) => {
    const text = `${name.padEnd(width)} | `;
    return [name, colored ? `\x1b[${COLORS[index % COLORS.length]}m${text}\x1b[0m` : text];
  }));
}

/** The folder is new: in an existing one, a link could lead to any file of the host. */
async function makeFolder(host: Host, path: string): Promise<void> {
  if (await host.files.lstat(path) !== null) {
    throw refused(`Cannot write logs to ${path}: it exists`, "Remove it, or name a new folder");
  }
  await host.files.makeDirectory(path, 0o755);
}

/** A name of a job may contain a slash. */
function fileNameOf(job: string): string {
  return `${job.replaceAll("/", "%2F")}.log`;
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
