/** Runs jobs of pipelines on a host of the tests. */

import { denoHost } from "../../src/host/deno_host.ts";
import type { Child, Files, Host, Processes } from "../../src/host/host.ts";
import { type JobOptions, runJob } from "../../src/pipeline/job/run_job.ts";
import type { JobResult, PipelineJob, Snapshot } from "../../src/pipeline/model.ts";
import { type SnapshotOptions, takeSnapshot } from "../../src/pipeline/source/snapshot.ts";
import { pipelineVariables } from "../../src/pipeline/source/variables.ts";
import type { TestHost } from "../hosts/host.ts";
import { CHROOT, type Site } from "../hosts/site.ts";
import { job } from "../unit/pipeline/run/jobs.ts";

/** A job without anything. */
const NOTHING: PipelineJob = job("job", "test", {
  image: { name: CHROOT },
  script: [],
  timeout: 600,
  retry: { max: 0, when: [], exitCodes: [] },
  interruptible: false,
});

/** A job that has run, with its output. */
export interface RunJob extends JobResult {
  readonly output: string;
}

/** A working copy on a host, and its pipeline. */
export interface TestPipeline {
  readonly snapshot: Snapshot;
  /** The program as it sees the host. */
  readonly host: Host;
  /** Runs a job with these properties. */
  run(job: Partial<PipelineJob>, options?: Partial<JobOptions>): Promise<RunJob>;
}

let pipelines = 0;

/**
 * Makes a working copy and runs jobs on it.
 *
 * @param script Makes the files of the working copy, in a repository with one commit.
 */
export async function withPipeline(
  site: Site,
  script: string,
  body: (pipeline: TestPipeline) => Promise<void>,
  options: Pick<SnapshotOptions, "commit" | "depth"> = {},
): Promise<void> {
  const root = `${site.store}/.pipelines`;
  const folder = `${root}/${Deno.pid}-${pipelines++}`;
  const workingCopy = (await site.host.exec(["mktemp", "-d"])).stdout.trim();
  try {
    await site.host.exec(["mkdir", "-p", "-m", "700", root, folder]);
    const made = await site.host.exec(["sh", "-euc", REPOSITORY_SCRIPT + script], {
      cwd: workingCopy,
    });
    if (made.code !== 0) throw new Error(made.stderr);
    const host = hostOn(site.host);
    const snapshot = await takeSnapshot(host, { workingCopy, folder, ...options });
    const pipeline = pipelineVariables(snapshot, {
      ...{ id: 1, created: Date.now(), configPath: ".gitlab-ci.yml" },
    });
    let jobs = 0;
    await body({
      snapshot,
      host,
      run: async (job, more = {}) => {
        let output = "";
        const result = await runJob(host, {
          driver: site.words([]) as JobOptions["driver"],
          folder: `${folder}/${jobs++}`,
          snapshot,
          job: { ...NOTHING, ...job },
          pipeline,
          variables: [],
          artifactsOf: [],
          cacheFolder: `${folder}/caches`,
          archiver: "tar",
          output: (piece) => {
            output += new TextDecoder().decode(piece);
          },
          keep: false,
          interrupt: new AbortController().signal,
          ...more,
        });
        return { ...result, output };
      },
    });
  } finally {
    await site.host.exec(["rm", "-rf", workingCopy, root]);
  }
}

const REPOSITORY_SCRIPT = `
git init --quiet --initial-branch=main
git config user.name Ada
git config user.email ada@example.org
echo first >README
git add .
git commit --quiet -m first
`;

/** Returns the host of this process whose files and processes are those of a host of the tests. */
export function hostOn(host: TestHost): Host {
  return {
    ...denoHost(),
    files: filesOn(host),
    processes: processesOn(host),
    environment: () => ({}),
    env: (name) => name === "PATH" ? "/usr/sbin:/usr/bin:/sbin:/bin" : undefined,
  };
}

/** The functions whose second argument is a path as well. */
const WITH_TWO_PATHS = new Set(["link", "rename"]);

function filesOn(host: TestHost): Files {
  const { files } = denoHost();
  const outer = (path: unknown) => host.outerPath(`${path}`);
  return Object.fromEntries(
    Object.entries(files).map(([name, call]) => [
      name,
      (path: unknown, ...others: unknown[]) => {
        const [second, ...rest] = others;
        const more = WITH_TWO_PATHS.has(name) ? [outer(second), ...rest] : others;
        return (call as (...all: unknown[]) => unknown)(outer(path), ...more);
      },
    ]),
  ) as unknown as Files;
}

function processesOn(host: TestHost): Processes {
  return {
    capture: async (argv, { env = {}, stdin } = {}) =>
      await host.exec(argv, { env, ...(stdin === undefined ? {} : { stdin }) }),
    start(argv, { env = {}, cwd, onOutput } = {}): Child {
      const running = host.start(argv, { env, ...(cwd === undefined ? {} : { cwd }) });
      const ended = running.ended.then((result) => {
        onOutput?.(new TextEncoder().encode(result.stdout + result.stderr));
        return result;
      });
      return {
        pid: running.pid,
        ended,
        kill: (signal) => void host.signal(running, signal),
        unref() {},
      };
    },
    signal: () => false,
  };
}
