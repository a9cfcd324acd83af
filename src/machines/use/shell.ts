/** Opens shells in machines, for people. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import { runInForeground } from "../../linux/foreground.ts";
import { inOwnMounts } from "../../linux/mounts.ts";
import type { Argv, Host } from "../../host/host.ts";
import { quoteCommand } from "../../text/quote.ts";
import { commonNspawnArgv } from "../../linux/nspawn.ts";
import { KEEP_TIME_ZONE } from "../../linux/time_zone.ts";
import { inOwnCgroup } from "../../linux/cgroups.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { enterArgv } from "../exec/enter.ts";
import { idCount } from "../record/ids.ts";
import { type Lease, listLeases, readLease } from "../record/lease.ts";
import { jobMachineOf, shownId } from "../record/shown_id.ts";
import type { Lower } from "../record/lower.ts";
import { whileMachineLocked } from "../record/lock.ts";
import { idOf } from "../record/name.ts";
import { INSIDE } from "../record/channel.ts";
import { BUSYBOX, HELPER_INSIDE } from "../record/helper_root.ts";
import { machinePaths } from "../record/paths.ts";
import { TMP_ON_STORAGE } from "../nspawn/command_line.ts";
import { DEFAULT_PRIVILEGES, privilegeOptions } from "../nspawn/privileges.ts";
import { storageOf } from "../storage/choose.ts";
import { isRunning } from "../supervisor/choose.ts";

/** The trees that a machine uses. */
export interface UsedTrees {
  /** The layers of its root. */
  readonly lower: Lower;
  /** The helper root; null where it has none. */
  readonly helper: string | null;
}

/**
 * Finds the machine that a person means.
 *
 * @param id As `list` shows it, or with the job's id on its server. Each alias of a service counts.
 * @param held Whether only machines that are kept for inspection count; else running ones are preferred.
 * @throws {Failure} where there is none, or there are several.
 */
export async function findMachine(
  host: Host,
  store: string,
  id: string,
  held: boolean,
): Promise<Lease> {
  const leases = await listLeases(host, store);
  const named = leases.filter((lease) => isNamed(lease, id));
  const meant = named.filter((lease) => (lease.held !== null) === held);
  const found = meant.length > 0 || held ? meant : named;
  if (found.length === 1) return found[0]!;
  const ids = (found.length === 0 ? leases : found).map(shownId).join(", ");
  throw refused(
    found.length === 0
      ? `Cannot find machine ${JSON.stringify(id)}: ${
        held ? "its writes are not kept" : "there is none"
      }`
      : `Cannot choose machine ${JSON.stringify(id)}: jobs of several servers have that id`,
    ids === "" ? "List machines: nspawn-runner list" : `Machines: ${ids}`,
  );
}

function isNamed(lease: Lease, id: string): boolean {
  const [job, ...rest] = id.split("/");
  if (job !== lease.job && job !== idOf(jobMachineOf(lease))) return false;
  const aliases = lease.service?.aliases ?? [];
  return rest.length === 0 ? lease.service === null : aliases.includes(rest.join("/"));
}

/**
 * Opens a shell on the streams of this process: in a running machine beside the job, in a held machine alone.
 *
 * @param trees Where the trees that the machine uses are now.
 * @returns The shell's exit code.
 * @throws {Failure} where the machine has ended and is not held.
 */
export async function openShell(host: Host, lease: Lease, trees: UsedTrees): Promise<number> {
  const terminal = host.terminal.is("stdin") && host.terminal.is("stdout");
  const env = { ...MINIMAL_ENVIRONMENT, HOME: "/root", TERM: host.env("TERM") ?? "dumb" };
  if (lease.held !== null) {
    return await whileMachineLocked(host, lease.machine, async () => {
      if (await readLease(host, lease.store, lease.machine) === null) {
        throw refused(`Cannot open a shell in machine ${lease.machine}: it was removed just now`);
      }
      const binds = await heldBinds(host, lease, trees);
      return await runInForeground(host, heldShellArgv(lease, trees, binds, terminal), {
        ...env,
        ...TMP_ON_STORAGE,
      }, terminal);
    });
  }
  if (!await isRunning(host, lease)) {
    throw refused(
      `Cannot open a shell in machine ${lease.machine}: it has ended`,
      "List machines: nspawn-runner list",
    );
  }
  return await runInForeground(host, runningShellArgv(host, lease, terminal, env), env, terminal);
}

/** Returns options that bind the folders shared with services into a held machine, and a shell where the image has none. */
async function heldBinds(
  host: Host,
  { store, machine }: Lease,
  { helper }: UsedTrees,
): Promise<string[]> {
  const { shared } = machinePaths(store, machine);
  const folders = await host.files.list(shared);
  return [
    ...folders.map((name) => `--bind=${join(shared, name)}:/${name}`),
    ...(helper === null ? [] : [`--bind-ro=${join(helper, BUSYBOX)}:${HELD_BUSYBOX}`]),
  ];
}

const HELD_BUSYBOX = `${INSIDE}/busybox`;

/** Starts nothing but a shell: the job is inspected, not continued. */
function heldShellArgv(
  lease: Lease,
  { lower, helper }: UsedTrees,
  binds: readonly string[],
  terminal: boolean,
): Argv {
  const { folder } = machinePaths(lease.store, lease.machine);
  const root = storageOf(lease.storage).root(lower, folder, lease.ids, lease.layer);
  const argv: Argv = [
    ...commonNspawnArgv({
      machine: lease.machine,
      registration: lease.supervisor === "systemd" ? "scope" : "none",
      terminal,
      timezone: KEEP_TIME_ZONE,
    }),
    ...root.options,
    ...binds,
    ...(lease.ids === null ? [] : [`--private-users=${lease.ids}:${idCount(lease.ids)}`]),
    ...privilegeOptions({ settings: DEFAULT_PRIVILEGES, booted: false, ids: lease.ids }),
    "--private-network", // its programs are not trusted, and files are read without a network
    "--as-pid2",
    "--",
    ...loginShell(lease, helper === null ? null : HELD_BUSYBOX),
  ];
  return inOwnMounts([root.mount], argv);
}

/** The best shell of the machine, as a login shell. */
export const LOGIN_SHELL_SCRIPT =
  "if command -v bash >/dev/null; then exec bash -l; fi; exec sh -l";

/** The same in the user's home. */
export const HOME_SHELL_SCRIPT = `cd 2>/dev/null || :; ${LOGIN_SHELL_SCRIPT}`;

/** Enters the folder of the job's files, where there is one. Argument: the path. */
const ENTER_PROJECT_SCRIPT = 'cd "$1" 2>/dev/null || cd /builds 2>/dev/null || :';

/** The same in the folder of the project. Argument: the path. */
export const PROJECT_SHELL_SCRIPT = `${ENTER_PROJECT_SCRIPT}; ${LOGIN_SHELL_SCRIPT}`;

/** The same by busybox, for an image that may have no shell. It would take itself for `sh`. Further argument: busybox. */
export const HELPER_SHELL_SCRIPT = `
${ENTER_PROJECT_SCRIPT}
if command -v bash >/dev/null; then exec bash -l; fi
if [ -x /bin/sh ]; then exec /bin/sh -l; fi
exec "$2" sh -l`;

function loginShell(lease: Lease, busybox: string | null): readonly string[] {
  const folder = projectFolder(lease);
  if (busybox === null) return ["/bin/sh", "-c", PROJECT_SHELL_SCRIPT, "sh", folder];
  return [busybox, "sh", "-c", HELPER_SHELL_SCRIPT, "sh", folder, busybox];
}

/** A path with other characters, which systemd or a shell could expand, stays out of the command line. */
function projectFolder({ description }: Lease): string {
  const project = description?.project ?? "";
  return /^[\w./-]+$/.test(project) ? `/builds/${project}` : "/builds";
}

function runningShellArgv(
  host: Host,
  lease: Lease,
  terminal: boolean,
  env: Readonly<Record<string, string>>,
): Argv {
  if (lease.supervisor === "systemd" && lease.booted) {
    return [
      "systemd-run",
      `--machine=${lease.machine}`,
      "--quiet",
      "--collect",
      "--wait",
      terminal ? "--pty" : "--pipe",
      ...Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`),
      "--",
      ...loginShell(lease, null),
    ];
  }
  const leader = lease.leader!;
  const cgroup = join(leader.cgroup, `shell-${host.pid()}`);
  const shell = loginShell(lease, lease.helper === null ? null : `${HELPER_INSIDE}/${BUSYBOX}`);
  const argv = inOwnCgroup(cgroup, 1, enterArgv({ lease, leader }, shell));
  return terminal ? onOwnTerminal(argv) : argv;
}

/**
 * Returns a command line that runs a shell on a terminal of its own, by script(1): a process of the machine could type
 * into this program's terminal, ioctl_tty(2).
 */
export function onOwnTerminal(argv: Argv): Argv {
  return ["script", "--quiet", "--return", "--command", quoteCommand(argv), "/dev/null"];
}
