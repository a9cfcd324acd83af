/** Attempts of jobs, for tests. */

import assert from "node:assert/strict";
import { onEachBoot } from "../hosts/shared.ts";
import type { Lease } from "../../src/machines/record/lease.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import type { JobPlan } from "./job.ts";
import { type Attempt, attempt, BUILD_FAILURE, type Section, type StageResult } from "./runner.ts";

/** Registers a test of one attempt for each kind of host and of machine; cleanup always follows. */
export function onEachAttempt(
  name: string,
  body: (job: Attempt, site: Site) => Promise<void>,
): void {
  onEachBoot(name, (site) => withAttempt(site, planOf(`registry.example/group/${CHROOT}`), body));
}

/** Returns a job with a new id. */
export function planOf(image: string): JobPlan {
  return { id: Number(newJob()), image };
}

/**
 * Runs a test with an attempt, and then the cleanup stage, as GitLab Runner does.
 *
 * @param section The driver's arguments; by default those of `nspawn-runner toml`.
 * @param caller A command that calls the driver.
 */
export async function withAttempt(
  site: Site,
  plan: JobPlan,
  body: (job: Attempt, site: Site) => Promise<void>,
  section?: Section,
  caller?: readonly string[],
): Promise<void> {
  const job = await attempt(site, plan, section, caller);
  try {
    await body(job, site);
  } finally {
    const gone = await job.cleanup();
    await job.close();
    assert.equal(gone.code, 0, gone.stderr);
    // GitLab Runner logs output of cleanup as warnings.
    assert.equal(`${gone.stdout}${gone.stderr}`, "");
  }
}

/** Returns the leases of a store. */
export async function leasesOf({ host, store }: Site): Promise<Lease[]> {
  const folder = host.outerPath(`${store}/.leases`);
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []); // no machine was ever started
  const names = entries.map(({ name }) => name).filter((name) => !name.startsWith(".")).sort();
  const texts = await Promise.all(names.map((name) => Deno.readTextFile(`${folder}/${name}`)));
  return texts.map((text) => JSON.parse(text));
}

/** Returns the command of a process with GitLab Runner's name, which calls the driver, and then prints its code and stays. */
export async function fakeRunner(site: Site): Promise<readonly string[]> {
  const path = await site.put("");
  const runner = `${path}.d/gitlab-runner`;
  await site.host.exec(["mkdir", `${path}.d`]);
  await site.host.exec(["cp", "/bin/bash", runner]);
  return [runner, "-c", '"$@"; echo "it ended with $?"; read -rt 300 _ <> <(:)', "gitlab-runner"];
}

/** Kills PID 1 of the store's first machine, as a crash would. */
export async function loseMachine(site: Site): Promise<void> {
  const [lease] = await leasesOf(site);
  // The shell's builtin: a small host has no kill(1).
  await site.host.exec(["sh", "-c", 'kill -s KILL "$1"', "sh", `${lease!.leader!.pid}`]);
}

/** Runs the stages before the first script. */
export async function begin(job: Attempt): Promise<void> {
  assertDone(await job.config());
  assertDone(await job.prepare());
}

/** Asserts that a stage succeeded. */
export function assertDone(done: StageResult): void {
  assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
  assert.equal(done.exitCode, null);
}

/** Asserts that a stage reported the failure of the user's script, with its exit code. */
export function assertFailed(done: StageResult, code: number): void {
  assert.equal(done.code, BUILD_FAILURE, done.stderr);
  assert.equal(done.exitCode, `${code}\n`);
}
