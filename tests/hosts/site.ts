/** A host with the program, a configuration and a chroot. */

import assert from "node:assert/strict";
import { must, type Options, type Result, type Running } from "./command.ts";
import type { TestHost } from "./host.ts";
import type { Installed } from "./installed.ts";
import { jobChroot } from "./roots.ts";

/** The chroot that every store has. */
export const CHROOT = "bookworm";

/** Settings of config.toml. */
export type Settings = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** How the program is called. */
export interface Site {
  readonly host: TestHost;
  readonly installation: Installed;
  /** Where definitions are. */
  readonly definitions: string;
  /** The configuration file in use. */
  readonly config: string;
  readonly store: string;
  /** Whether its machines boot. */
  readonly boots: boolean;
  /** The same host with other settings, and other definitions. */
  with(settings: Settings): Promise<Site>;
  /** The same host with its store on btrfs; null where there is none. */
  onBtrfs(): Promise<Site | null>;
  /** The words of a call. */
  words(more: readonly string[]): readonly string[];
  /** Runs the program. */
  call(words: readonly string[], options?: Options): Promise<Result>;
  /** Starts the program. */
  start(words: readonly string[], options?: Options): Running;
  /** Writes a file on the host that only root may read; gives its path. */
  put(text: string | Uint8Array, path?: string): Promise<string>;
}

let files = 0;
let jobs = 0;

/**
 * A job's id that no other test uses.
 *
 * @returns Digits.
 */
export function newJob(): string {
  return `${Deno.pid}${String(jobs++).padStart(3, "0")}`;
}

/**
 * Lays the program out on a host.
 *
 * @param host A fresh one.
 * @param installation What it has.
 * @returns The site.
 */
export async function siteOn(host: TestHost, installation: Installed): Promise<Site> {
  const chroot = host.outside(`${host.store}/${CHROOT}`);
  await must(["cp", "--archive", "--reflink=auto", await jobChroot(), chroot]);
  return await site(host, installation, host.store, {});
}

async function site(
  host: TestHost,
  installation: Installed,
  store: string,
  settings: Settings,
): Promise<Site> {
  const number = files++;
  const work = `${host.store}/.tests`; // on the host's own disk, whatever kind it is
  const definitions = `${work}/definitions-${number}`;
  const config = `${work}/config-${number}.toml`;
  await Deno.mkdir(host.outside(definitions), { recursive: true });
  await Deno.writeTextFile(host.outside(config), toml({ store, definitions, ...settings }));
  const words = (more: readonly string[]) => [installation.program, "--config", config, ...more];
  return {
    host,
    installation,
    definitions,
    config,
    store,
    boots: settings["boot"] !== false,
    with: ({ store: other, ...more }) =>
      site(host, installation, `${other ?? store}`, { ...settings, ...more }),
    onBtrfs: async () => {
      if (host.btrfs === null) return null;
      await copyToSubvolume(host, `${host.btrfs}/${CHROOT}`);
      return await site(host, installation, host.btrfs, settings);
    },
    words,
    call: (more, options) => host.exec(words(more), options),
    start: (more, options) => host.start(words(more), options),
    put: async (content, path = `${work}/file-${files++}`) => {
      const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(host.outside(path), data, { mode: 0o700 });
      return path;
    },
  };
}

async function copyToSubvolume(host: TestHost, path: string): Promise<void> {
  if (await Deno.stat(host.outside(path)).catch(() => null)) return;
  await must(["btrfs", "--quiet", "subvolume", "create", host.outside(path)]);
  await must(["cp", "--archive", `${await jobChroot()}/.`, host.outside(path)]);
}

/** Keys with a dot go into a table, which TOML wants last; JSON's strings are TOML's too. */
function toml(settings: Settings): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return lines.join("\n") + "\n";
}

/**
 * Gives a machine to a test, and takes it away afterwards.
 *
 * @param site Where.
 * @param body The test; gets the job's id.
 */
export async function withMachine(
  site: Site,
  body: (id: string) => Promise<void>,
): Promise<void> {
  const id = newJob();
  const prepared = await site.call(["prepare", CHROOT, "--id", id]);
  try {
    assert.equal(prepared.code, 0, prepared.stderr);
    await body(id);
  } finally {
    const gone = await site.call(["cleanup", "--id", id]);
    assert.equal(gone.code, 0, gone.stderr);
  }
}

/**
 * Runs a script in a machine.
 *
 * @param site Where.
 * @param id The job.
 * @param script Its text.
 * @param options How the program is called.
 * @returns How the program ended.
 */
export async function runScript(
  site: Site,
  id: string,
  script: string,
  options: Options = {},
): Promise<Result> {
  const path = await site.put(script);
  return await site.call(["run", "--id", id, path, "step_script"], options);
}
