/** A host on which the program, a configuration and a chroot are installed. */

import assert from "node:assert/strict";
import { must, type Options, type Result, type Running } from "./command.ts";
import type { TestHost } from "./host.ts";
import type { Installed } from "./installed.ts";
import { jobChroot } from "./roots.ts";

/** The name of the chroot that every store has. */
export const CHROOT = "bookworm";

/** A value of config.toml; a table has no tables in it. */
type Value = string | number | boolean | readonly (string | Table)[];
type Table = Readonly<Record<string, string | readonly string[]>>;

/** Settings of config.toml, by their dotted names. */
export type Settings = Readonly<Record<string, Value>>;

/** A host with the program. */
export interface Site {
  readonly host: TestHost;
  readonly installation: Installed;
  /** Path of the folder of definitions. */
  readonly definitions: string;
  /** Path of the configuration file. */
  readonly config: string;
  readonly store: string;
  /** Whether its machines boot. */
  readonly boots: boolean;
  /** Returns the same host with further settings and a new folder of definitions. */
  with(settings: Settings): Promise<Site>;
  /** Returns the same host with its store on btrfs; null where it has no btrfs. */
  onBtrfs(): Promise<Site | null>;
  /** Returns the command line of a call of the program. */
  words(more: readonly string[]): readonly string[];
  /** Runs the program. */
  call(words: readonly string[], options?: Options): Promise<Result>;
  /** Starts the program. */
  start(words: readonly string[], options?: Options): Running;
  /** Writes a file on the host that only root can read; returns its path. */
  put(text: string | Uint8Array, path?: string): Promise<string>;
}

let files = 0;
let jobs = 0;

/** Returns the id of a job that no other test uses. */
export function newJob(): string {
  return `${Deno.pid}${String(jobs++).padStart(3, "0")}`;
}

/** Puts a chroot into the store of a new host, and returns the site. */
export async function siteOn(host: TestHost, installation: Installed): Promise<Site> {
  const chroot = host.outerPath(`${host.store}/${CHROOT}`);
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
  const work = `${host.store}/.tests`; // on the host's own disk
  const definitions = `${work}/definitions-${number}`;
  const config = `${work}/config-${number}.toml`;
  await Deno.mkdir(host.outerPath(definitions), { recursive: true });
  await Deno.writeTextFile(host.outerPath(config), toml({ store, definitions, ...settings }));
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
      await Deno.writeFile(host.outerPath(path), data, { mode: 0o700 });
      return path;
    },
  };
}

async function copyToSubvolume(host: TestHost, path: string): Promise<void> {
  if (await Deno.stat(host.outerPath(path)).catch(() => null)) return;
  await must(["btrfs", "--quiet", "subvolume", "create", host.outerPath(path)]);
  await must(["cp", "--archive", `${await jobChroot()}/.`, host.outerPath(path)]);
}

function toml(settings: Settings): string {
  return pairsOf(settings).map((pair) => `${pair}\n`).join("");
}

function pairsOf(table: Settings | Table): string[] {
  return Object.entries(table).map(([key, value]) => `${key} = ${tomlOf(value)}`);
}

/** Strings of TOML may be written as in JSON. */
function tomlOf(value: Value | Table): string {
  if (typeof value !== "object") return JSON.stringify(value);
  if (!Array.isArray(value)) return `{ ${pairsOf(value as Table).join(", ")} }`;
  return `[${value.map(tomlOf).join(", ")}]`;
}

/** Runs a test with a machine of the job `id`, which is removed afterwards. */
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

/** Runs a script in the machine of the job `id`, by `nspawn-runner run`. */
export async function runScript(
  site: Site,
  id: string,
  script: string,
  options: Options = {},
): Promise<Result> {
  const path = await site.put(script);
  return await site.call(["run", "--id", id, path, "step_script"], options);
}
