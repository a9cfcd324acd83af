/** Working copies of git with a pipeline. */

import assert from "node:assert/strict";
import type { Options, Result, Running } from "../hosts/command.ts";
import { CHROOT, newJob, type Settings, type Site } from "../hosts/site.ts";
import { linkHelper } from "./helper_root.ts";
import { linkChroot, PATIENCE, withStore } from "./store.ts";

/** A working copy on a host. */
export interface WorkingCopy {
  readonly site: Site;
  /** Its path on the host. */
  readonly path: string;
  /** Runs git in it, which must succeed. */
  git(...words: string[]): Promise<Result>;
  /** Writes a file that is not committed. */
  write(name: string, text: string): Promise<void>;
  /** Runs `nspawn-runner pipeline` in it. */
  pipeline(words: readonly string[], options?: Options): Promise<Result>;
  startPipeline(words: readonly string[]): Running;
}

/**
 * Runs a test with a working copy, whose store has a chroot and a helper root. `.gitlab-ci.yml` is committed on the branch
 * main.
 *
 * @param files Other files, which git does not have.
 */
export async function withWorkingCopy(
  site: Site,
  file: string,
  files: Readonly<Record<string, string>>,
  body: (copy: WorkingCopy) => Promise<void>,
  settings: Settings = {},
): Promise<void> {
  await withStore(site, { default_image: CHROOT, ...settings }, async (own) => {
    await linkChroot(own, site);
    await linkHelper(own);
    await inWorkingCopy(own, file, files, body);
  });
}

/** Runs a test with a working copy on a site whose store has what its jobs need. */
export async function inWorkingCopy(
  own: Site,
  file: string,
  files: Readonly<Record<string, string>>,
  body: (copy: WorkingCopy) => Promise<void>,
): Promise<void> {
  const path = `${own.host.store}/.tests/copy-${newJob()}`;
  try {
    const copy = workingCopyAt(own, path);
    await own.host.exec(["mkdir", "-p", path]);
    await copy.git("init", "--quiet", "--initial-branch=main");
    await copy.write(".gitlab-ci.yml", file);
    await copy.git("add", ".");
    await copy.git("commit", "--quiet", "--message=The first commit");
    for (const [name, text] of Object.entries(files)) await copy.write(name, text);
    await body(copy);
    const left = await own.host.exec(["ls", "-A", `${own.store}/.pipelines`]);
    assert.match(left.stdout, /^(?:caches\n)?$/, "nothing is left but caches");
  } finally {
    await own.host.exec(["rm", "-rf", "--one-file-system", path]);
  }
}

function workingCopyAt(site: Site, path: string): WorkingCopy {
  const { host } = site;
  const author = ["-c", "user.name=A. Author", "-c", "user.email=author@example.com"];
  return {
    site,
    path,
    async git(...words) {
      const done = await host.exec(["git", "-C", path, ...author, ...words]);
      assert.equal(done.code, 0, `git ${words.join(" ")}: ${done.stderr}`);
      return done;
    },
    async write(name, text) {
      const file = `${path}/${name}`;
      await Deno.mkdir(host.outerPath(file.replace(/\/[^/]*$/, "")), { recursive: true });
      await Deno.writeTextFile(host.outerPath(file), text);
    },
    pipeline: (words, options) =>
      site.call(["pipeline", ...words], { ...PATIENCE, ...options, cwd: path }),
    startPipeline: (words) => site.start(["pipeline", ...words], { ...PATIENCE, cwd: path }),
  };
}

/** The answer of `pipeline --json`. */
export interface PipelineAnswer {
  readonly state: string;
  readonly jobs: readonly {
    readonly name: string;
    readonly stage: string;
    readonly state: string;
    readonly seconds: number;
    readonly attempts: readonly { readonly kind: string; readonly code: number }[];
  }[];
}

/** Returns the answer of `pipeline --json`, and the states of its jobs by name. */
export function answerOf(done: Result): PipelineAnswer & { states: Record<string, string> } {
  assert.match(done.stdout, /^\{/, done.stderr);
  const answer: PipelineAnswer = JSON.parse(done.stdout);
  return { ...answer, states: Object.fromEntries(answer.jobs.map((one) => [one.name, one.state])) };
}

/** Returns what a job printed, by its lines `JOB | LINE`. */
export function linesOf(output: string, job: string): string[] {
  const lines = output.split("\n").map((line) => line.match(/^(.*?) *\| (.*)$/));
  return lines.flatMap((match) => match !== null && match[1] === job ? [match[2]!] : []);
}
