/** Attempts at jobs, for tests. */

import assert from "node:assert/strict";
import { onEachBoot } from "../hosts/shared.ts";
import type { Lease } from "../../src/machines/record/lease.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import type { JobPlan } from "./job.ts";
import { type Attempt, attempt, BUILD_FAILURE, type Section, type StageResult } from "./runner.ts";

/**
 * Registers a test of one attempt for each kind of host and of machine; cleanup always follows.
 *
 * @param name What it checks.
 * @param body The test.
 */
export function onEachAttempt(
  name: string,
  body: (job: Attempt, site: Site) => Promise<void>,
): void {
  onEachBoot(name, (site) => withAttempt(site, planOf(`registry.example/group/${CHROOT}`), body));
}

/**
 * A job of its own id.
 *
 * @param image What it names.
 * @returns The job.
 */
export function planOf(image: string): JobPlan {
  return { id: Number(newJob()), image };
}

/**
 * Gives an attempt to a test, and cleans up after it as GitLab Runner does.
 *
 * @param site Where.
 * @param plan The job.
 * @param body The test.
 * @param section How the driver is called; as `nspawn-runner toml` says by default.
 * @param caller What calls it.
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
    // GitLab Runner logs what it says as warnings.
    assert.equal(`${gone.stdout}${gone.stderr}`, "");
  }
}

/**
 * The leases of a store.
 *
 * @param site Where.
 * @returns As the program wrote them.
 */
export async function leasesOf({ host, store }: Site): Promise<Lease[]> {
  const folder = host.outerPath(`${store}/.leases`);
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []); // no machine ever was
  const names = entries.map(({ name }) => name).filter((name) => !name.startsWith(".")).sort();
  const texts = await Promise.all(names.map((name) => Deno.readTextFile(`${folder}/${name}`)));
  return texts.map((text) => JSON.parse(text));
}

/**
 * Takes the one machine of a store away, as a crash would.
 *
 * @param site Where.
 */
export async function loseMachine(site: Site): Promise<void> {
  const [lease] = await leasesOf(site);
  // The shell's own: a small host has no program of that name.
  await site.host.exec(["sh", "-c", 'kill -s KILL "$1"', "sh", `${lease!.leader!.pid}`]);
}

/**
 * Begins a job as far as a script can run.
 *
 * @param job The attempt.
 */
export async function begin(job: Attempt): Promise<void> {
  assertDone(await job.config());
  assertDone(await job.prepare());
}

/**
 * Asserts that a stage succeeded.
 *
 * @param done The stage.
 */
export function assertDone(done: StageResult): void {
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.exitCode, null);
}

/**
 * Asserts that a stage told that the user's script failed.
 *
 * @param done The stage.
 * @param code The script's own code.
 */
export function assertFailed(done: StageResult, code: number): void {
  assert.equal(done.code, BUILD_FAILURE, done.stderr);
  assert.equal(done.exitCode, `${code}\n`);
}
