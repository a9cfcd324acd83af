/** The answer of the config stage, which GitLab Runner reads as JSON from stdout. */

import { VERSION } from "../version.ts";

/** The builds folder inside a machine. */
export const BUILDS_DIR = "/builds";
/** The cache folder inside a machine. */
export const CACHE_DIR = "/cache";

/** What the config stage finds out once, for the stages that follow. */
export interface Decisions {
  /** The machine's name. */
  readonly machine: string;
  /** A hash of the GitLab server's identity; undefined where it has none. */
  readonly server: string | undefined;
  /** The chroot that the job's image resolves to; null where it is to be pulled, undefined for a job without image. */
  readonly chroot: string | null | undefined;
  /** When the config stage began, in milliseconds since 1970. */
  readonly began: number;
  /** Milliseconds that it took. */
  readonly took: number;
}

/** The facts about this host and the job that the answer contains. */
export interface ConfigFacts {
  readonly hostname: string;
  /** Undefined if the chroot is not known. */
  readonly shell: string | undefined;
  readonly decisions: Decisions | undefined;
}

/** The answer, in GitLab Runner's field names. */
export interface ConfigAnswer {
  readonly driver: { readonly name: string; readonly version: string };
  readonly hostname: string;
  readonly builds_dir: string;
  readonly cache_dir: string;
  readonly builds_dir_is_shared: false;
  readonly shell?: string;
  readonly job_env?: Readonly<Record<string, string>>;
}

/** Returns the answer of the config stage, to be printed as JSON. */
export function configAnswer({ hostname, shell, decisions }: ConfigFacts): ConfigAnswer {
  return {
    driver: { name: "nspawn-runner", version: VERSION },
    hostname,
    builds_dir: BUILDS_DIR,
    cache_dir: CACHE_DIR,
    builds_dir_is_shared: false,
    ...(shell === undefined ? {} : { shell }),
    ...(decisions === undefined ? {} : { job_env: variablesOf(decisions) }),
  };
}

/** GitLab Runner sets these for later stages, over any variable of the job. */
const MACHINE = "NSPAWN_RUNNER_MACHINE";
const SERVER = "NSPAWN_RUNNER_SERVER";
const CHROOT = "NSPAWN_RUNNER_CHROOT";
const BEGAN = "NSPAWN_RUNNER_BEGAN";
const TOOK = "NSPAWN_RUNNER_TOOK";

/** In the place of a chroot's name, which is never empty. */
const PULLED = "";

function variablesOf({ machine, server, chroot, began, took }: Decisions): Record<string, string> {
  return {
    [MACHINE]: machine,
    ...(server === undefined ? {} : { [SERVER]: server }),
    ...(chroot === undefined ? {} : { [CHROOT]: chroot ?? PULLED }),
    [BEGAN]: String(began),
    [TOOK]: String(took),
  };
}

/**
 * Reads the config stage's decisions from the environment of a later stage.
 *
 * @returns Undefined if there was no config stage, or it failed.
 */
export function decisionsOf(env: (name: string) => string | undefined): Decisions | undefined {
  const machine = env(MACHINE);
  if (!machine) return undefined;
  const chroot = env(CHROOT);
  return {
    machine,
    server: env(SERVER) || undefined,
    chroot: chroot === PULLED ? null : chroot,
    began: Number(env(BEGAN)),
    took: Number(env(TOOK) ?? 0),
  };
}
