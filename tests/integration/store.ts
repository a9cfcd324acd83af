/** Stores of a test's own, with chroots that are quickly made. */

import assert from "node:assert/strict";
import { must, type Result } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { smallRoot, type Suite } from "../hosts/roots.ts";
import { CHROOT, newJob, runScript, type Settings, type Site } from "../hosts/site.ts";

/** Long enough for a busy machine. */
export const PATIENCE = { timeout: 300_000 };

/**
 * Gives a test a store, which is gone afterwards with all its chroots.
 *
 * @param site Where.
 * @param settings The configuration; machines are plain without a word on that.
 * @param body The test.
 */
export async function withStore(
  site: Site,
  settings: Settings,
  body: (own: Site) => Promise<void>,
): Promise<void> {
  const store = `${site.store}/.tests/own-${newJob()}`;
  const own = await site.with({ boot: false, ...settings, store });
  try {
    await body(own);
  } finally {
    await own.host.exec(["rm", "-rf", "--one-file-system", store], PATIENCE);
  }
}

/**
 * Gives a store the chroot that another one has.
 *
 * @param own The store.
 * @param site The other one.
 */
export async function linkChroot(own: Site, site: Site): Promise<void> {
  const link = `mkdir -p ${own.store} && ln -s ${site.store}/${CHROOT} ${own.store}/${CHROOT}`;
  await own.host.exec(["sh", "-c", link]);
}

/**
 * A root that is quickly copied, as a folder of the host that nobody else changes.
 *
 * @param site Where.
 * @param suite The release of Debian that it is made of.
 * @returns Its path on the host.
 */
export async function smallFolder(site: Site, suite: Suite = "bookworm"): Promise<string> {
  const path = `${site.host.store}/.tests/small-${newJob()}`;
  await must(["cp", "--archive", await smallRoot(suite), site.host.outerPath(path)]);
  return path;
}

/**
 * Writes a definition.
 *
 * @param own Where.
 * @param name The chroot.
 * @param text What it says.
 */
export async function define(own: Site, name: string, text: string): Promise<void> {
  await own.put(text, `${own.definitions}/${name}.toml`);
}

/**
 * Calls the program, which must succeed.
 *
 * @param own Where.
 * @param words Its words.
 * @returns How it ended.
 */
export async function succeed(own: Site, ...words: string[]): Promise<Result> {
  const done = await own.call(words, PATIENCE);
  assert.equal(done.code, 0, `${words.join(" ")}\n${done.stdout}${done.stderr}`);
  return done;
}

/** What `chroot-list --json` has of a chroot, as far as tests look at it. */
export interface Listed {
  readonly name: string;
  readonly state: string;
  readonly origin: string | null;
  readonly generation: number | null;
  readonly generations: readonly number[];
  readonly digest: string | null;
}

/**
 * What is listed of a chroot.
 *
 * @param own Where.
 * @param name The chroot.
 * @returns Undefined where it is not listed.
 */
export async function listed(own: Site, name: string): Promise<Listed | undefined> {
  const all: Listed[] = JSON.parse((await succeed(own, "chroot-list", "--json")).stdout);
  return all.find((one) => one.name === name);
}

/**
 * What a script says in a machine of an image.
 *
 * @param own Where.
 * @param image The image.
 * @param script The script; it must succeed.
 * @returns Its stdout.
 */
export async function outputOf(own: Site, image: string, script: string): Promise<string> {
  const id = newJob();
  await succeed(own, "prepare", image, "--id", id);
  try {
    const done = await runScript(own, id, script);
    assert.equal(done.code, 0, done.stderr);
    return done.stdout;
  } finally {
    await succeed(own, "cleanup", "--id", id);
  }
}

/**
 * What of a store is no chroot: trees that are being made, or that leave.
 *
 * @param own Where.
 * @returns A line each; none on a tidy store.
 */
export async function unfinishedTrees(own: Site): Promise<string> {
  const look = `cd ${own.store} && ls -A .making .leaving 2>/dev/null | grep -v ':$' | grep . || :`;
  return (await own.host.exec(["sh", "-c", look])).stdout;
}

/** What machined knows, and what nspawn mounted before. */
const WORKED_IN = `cd /run/systemd && find machines nspawn/unix-export -maxdepth 1 \\
  -name "nspawn-runner-*" 2>/dev/null | sort`;

/**
 * What there is of machines that somebody works in to make or change a chroot, where systemd is PID 1.
 *
 * @param own Where.
 * @returns A line each, nothing without them.
 */
export async function buildLeftovers(own: Site): Promise<string> {
  return (await own.host.exec(["sh", "-c", WORKED_IN])).stdout;
}

/**
 * Waits until that is so.
 *
 * @param own Where.
 * @param expected What {@linkcode buildLeftovers} is to say.
 */
export async function untilBuildLeftovers(own: Site, expected: RegExp): Promise<void> {
  const isSo = async () => expected.test(await buildLeftovers(own)) || null;
  assert.ok(await until(isSo, 120_000), `${expected}: ${await buildLeftovers(own)}`);
}
