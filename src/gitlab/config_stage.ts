/** What the config stage answers: GitLab Runner reads it as JSON from stdout. */

import { VERSION } from "../version.ts";

/** Where jobs work inside a machine. */
export const BUILDS_DIR = "/builds";
/** Where a job's cache is kept inside a machine. */
export const CACHE_DIR = "/cache";

/** What the config stage decides for the stages that follow. */
export interface Decisions {
  /** The machine's name. */
  readonly machine: string;
  /** The chroot that the job's image means; undefined where the job names none. */
  readonly chroot: string | undefined;
  /** When the job began here, in milliseconds since 1970. */
  readonly began: number;
}

/** What GitLab Runner is told of this host and of the job's shell. */
export interface Answered {
  readonly hostname: string;
  /** Undefined where the chroot is not known yet. */
  readonly shell: string | undefined;
  readonly decisions: Decisions | undefined;
}

/** GitLab Runner's field names. */
export interface ConfigAnswer {
  readonly driver: { readonly name: string; readonly version: string };
  readonly hostname: string;
  readonly builds_dir: string;
  readonly cache_dir: string;
  readonly builds_dir_is_shared: false;
  readonly shell?: string;
  readonly job_env?: Readonly<Record<string, string>>;
}

/**
 * The answer to the config stage.
 *
 * @param answered What is told.
 * @returns An object to be printed as JSON.
 */
export function configAnswer({ hostname, shell, decisions }: Answered): ConfigAnswer {
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

/** Prefixed: a bare name could clobber a variable that matters. No job can override these. */
const MACHINE = "NSPAWN_RUNNER_MACHINE";
const CHROOT = "NSPAWN_RUNNER_CHROOT";
const BEGAN = "NSPAWN_RUNNER_BEGAN";

function variablesOf({ machine, chroot, began }: Decisions): Record<string, string> {
  return {
    [MACHINE]: machine,
    ...(chroot === undefined ? {} : { [CHROOT]: chroot }),
    [BEGAN]: String(began),
  };
}

/**
 * What the config stage decided, as a later stage finds it.
 *
 * @param env Tells variables of the environment.
 * @returns Undefined where there was no config stage, or it failed.
 */
export function decisionsOf(env: (name: string) => string | undefined): Decisions | undefined {
  const machine = env(MACHINE);
  if (!machine) return undefined;
  return { machine, chroot: env(CHROOT) || undefined, began: Number(env(BEGAN)) };
}
