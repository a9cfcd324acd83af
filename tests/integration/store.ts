/** Stores for single tests, with chroots that are quickly built. */

import assert from "node:assert/strict";
import { must, type Result } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { smallRoot, type Suite } from "../hosts/roots.ts";
import { CHROOT, newJob, runScript, type Settings, type Site } from "../hosts/site.ts";

/** A time-out for busy machines. */
export const PATIENCE = { timeout: 300_000 };

/**
 * Runs a test with a new store, which is removed afterwards with its chroots.
 *
 * @param settings The configuration; `boot` is false by default.
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

/** Links the chroot of a site into another store. */
export async function linkChroot(own: Site, site: Site): Promise<void> {
  const link = `mkdir -p ${own.store} && ln -s ${site.store}/${CHROOT} ${own.store}/${CHROOT}`;
  await own.host.exec(["sh", "-c", link]);
}

/** Copies a small root to a new folder of the host, and returns its path there. */
export async function smallFolder(site: Site, suite: Suite = "bookworm"): Promise<string> {
  const path = `${site.host.store}/.tests/small-${newJob()}`;
  await must(["cp", "--archive", await smallRoot(suite), site.host.outerPath(path)]);
  return path;
}

/** Writes the definition of a chroot. */
export async function define(own: Site, name: string, text: string): Promise<void> {
  await own.put(text, `${own.definitions}/${name}.toml`);
}

/** Runs the program, which must succeed. */
export async function succeed(own: Site, ...words: string[]): Promise<Result> {
  const done = await own.call(words, PATIENCE);
  assert.equal(done.code, 0, `${words.join(" ")}\n${done.stdout}${done.stderr}`);
  return done;
}

/** The fields of `chroot-list --json` that tests read. */
export interface Listed {
  readonly name: string;
  readonly state: string;
  readonly origin: string | null;
  readonly generation: number | null;
  readonly generations: readonly number[];
  readonly digest: string | null;
}

/** Returns the entry of a chroot in `chroot-list --json`; undefined if there is none. */
export async function listed(own: Site, name: string): Promise<Listed | undefined> {
  const all: Listed[] = JSON.parse((await succeed(own, "chroot-list", "--json")).stdout);
  return all.find((one) => one.name === name);
}

/** Returns the stdout of a script, which must succeed, in a new machine of an image. */
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

/** Returns the store's trees that are being built or removed, a line each. */
export async function unfinishedTrees(own: Site): Promise<string> {
  const look = `cd ${own.store} && ls -A .making .leaving 2>/dev/null | grep -v ':$' | grep . || :`;
  return (await own.host.exec(["sh", "-c", look])).stdout;
}

/** Lists machined's records and nspawn's mounts of build machines. */
const WORKED_IN = `cd /run/systemd && find machines nspawn/unix-export -maxdepth 1 \\
  -name "run-build-*" 2>/dev/null | sort`;

/** Returns what exists of machines that build or change chroots, a line each; only on hosts with systemd. */
export async function buildLeftovers(own: Site): Promise<string> {
  return (await own.host.exec(["sh", "-c", WORKED_IN])).stdout;
}

/** Waits until the output of {@linkcode buildLeftovers} matches. */
export async function untilBuildLeftovers(own: Site, expected: RegExp): Promise<void> {
  const isSo = async () => expected.test(await buildLeftovers(own)) || null;
  assert.ok(await until(isSo, 120_000), `${expected}: ${await buildLeftovers(own)}`);
}
