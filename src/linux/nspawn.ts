/** Properties of systemd-nspawn(1), and the options that all its callers share. */

import { join } from "@std/path/posix";
import { hostFailure } from "../failure.ts";
import type { Argv, Host } from "../host/host.ts";
import { OPEN_FILES } from "./nsenter.ts";
import { RUNTIME_FOLDER } from "../runtime_folder.ts";

/**
 * Where the processes of a machine are accounted: in a scope that systemd makes for it, or in the unit of nspawn
 * itself, both known to systemd-machined; `none` where systemd is not PID 1.
 */
export type Registration = "scope" | "unit" | "none";

/** The cgroup in which nspawn puts a machine below its own, with --keep-unit. */
export const PAYLOAD = "payload";

/**
 * Returns the cgroup of nspawn itself, in which a machine lies.
 *
 * @param cgroup The cgroup of any process of the machine.
 */
export function aboveMachine(cgroup: string): string {
  return cgroup.split(`/${PAYLOAD}`, 1)[0]!;
}

/** The options that each call of systemd-nspawn has to decide. */
export interface CommonOptions {
  /** The machine's name. */
  readonly machine: string;
  readonly registration: Registration;
  /** Whether a person types into the machine; default: no. */
  readonly terminal?: boolean;
  /** Options for the time zone: {@linkcode timezoneOptions}. */
  readonly timezone: readonly string[];
}

const REGISTRATION: Readonly<Record<Registration, readonly string[]>> = {
  scope: [],
  unit: ["--keep-unit"],
  none: ["--register=no", "--keep-unit"],
};

/**
 * The limits of open files and core dumps, whatever the caller's are: nspawn takes the closest that the host allows.
 * With a limit of exactly 1 byte the kernel starts no handler of the host for core dumps, which would store the memory
 * and the environment of a job's programs on the host: do_coredump() in fs/coredump.c.
 */
const RESOURCE_LIMITS = [
  `--rlimit=RLIMIT_NOFILE=${OPEN_FILES.soft}:${OPEN_FILES.hard}`,
  "--rlimit=RLIMIT_CORE=1",
];

/** Returns the beginning of a command line of systemd-nspawn; the caller's own options follow. */
export function commonNspawnArgv(
  { machine, registration, terminal = false, timezone }: CommonOptions,
): Argv {
  return [
    "systemd-nspawn",
    "--quiet",
    `--machine=${machine}`,
    ...REGISTRATION[registration],
    ...timezone,
    `--console=${terminal ? "interactive" : "pipe"}`,
    "--settings=no", // no file on the host or beside the tree changes the machine
    ...RESOURCE_LIMITS,
  ];
}

/** Escapes a path for nspawn's --bind= and --overlay=, which separate paths by colons. */
export function escapeColons(path: string): string {
  return path.replaceAll("\\", "\\\\").replaceAll(":", "\\:");
}

/**
 * Returns the version of systemd-nspawn; the answer is kept on disk until the executable changes.
 *
 * @returns The first number of what it prints: 252 of `252.39-1~deb12u1`, 258 of `258~rc1`.
 * @throws {Failure} of the host where systemd-nspawn is not installed.
 */
export async function nspawnVersion(host: Host): Promise<number> {
  const executable = await host.files.stat("/usr/bin/systemd-nspawn");
  const key = executable === null ? null : `${executable.ino}-${executable.modified?.getTime()}`;
  const cache = join(RUNTIME_FOLDER, ".nspawn-version");
  const [knownKey, known] = (await host.files.read(cache) ?? "").split(" ");
  if (key !== null && knownKey === key) return Number(known);
  const version = await askVersion(host);
  if (key !== null) {
    await host.files.makeDirectory(RUNTIME_FOLDER);
    await host.files.replace(cache, `${key} ${version}`);
  }
  return version;
}

async function askVersion(host: Host): Promise<number> {
  const { stdout } = await host.processes.capture(["systemd-nspawn", "--version"]);
  const version = stdout.match(/^systemd (\d+)/)?.[1];
  if (version === undefined) {
    throw hostFailure(`Cannot read the version of systemd-nspawn: ${stdout.split("\n")[0]}`);
  }
  return Number(version);
}

/** Returns whether systemd-nspawn was built with seccomp; without, it starts machines unfiltered. */
export async function hasSeccomp(host: Host): Promise<boolean> {
  const { stdout } = await host.processes.capture(["systemd-nspawn", "--version"]);
  return /^\+SECCOMP\b| \+SECCOMP\b/m.test(stdout);
}
