/** A shell in a machine, for a person. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import { attend } from "../../linux/foreground.ts";
import type { Argv, Host } from "../../host/host.ts";
import { quoteCommand } from "../../text/quote.ts";
import { KEEP_ZONE } from "../../linux/time_zone.ts";
import { inOwnCgroup } from "../../linux/cgroups.ts";
import { PLAIN_ENVIRONMENT } from "../../linux/nsenter.ts";
import { enterArgv } from "../exec/nsenter.ts";
import { COUNT } from "../record/ids.ts";
import { type Lease, listLeases, readLease } from "../record/lease.ts";
import { whileLocked } from "../record/lock.ts";
import { idOf } from "../record/name.ts";
import { machinePaths } from "../record/paths.ts";
import { DEFAULT_PRIVILEGES, privilegeOptions } from "../nspawn/privileges.ts";
import { storageOf } from "../storage/choose.ts";
import { isRunning } from "../supervisor/choose.ts";

/**
 * The machine that a person means.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param id As `list` shows it, or a job's id at its server.
 * @param held Whether one is meant that is kept for a look; else one that runs is preferred.
 * @returns Its lease.
 * @throws {Failure} where there is none, or several.
 */
export async function findMachine(
  host: Host,
  store: string,
  id: string,
  held: boolean,
): Promise<Lease> {
  const leases = await listLeases(host, store);
  const named = leases.filter(({ machine, job }) => idOf(machine) === id || job === id);
  const meant = named.filter((lease) => (lease.held !== null) === held);
  const found = meant.length > 0 || held ? meant : named;
  if (found.length === 1) return found[0]!;
  const ids = (found.length === 0 ? leases : found).map(({ machine }) => idOf(machine)).join(", ");
  throw refused(
    found.length === 0
      ? `Cannot find machine ${JSON.stringify(id)}: ${
        held ? "nothing of it is kept" : "there is none"
      }`
      : `Cannot tell which machine ${JSON.stringify(id)} is: several servers have such a job`,
    ids === "" ? "nspawn-runner list shows machines" : `There are: ${ids}`,
  );
}

/**
 * Opens a shell in a machine, on our own streams: in a running one beside the job, in a kept one alone.
 *
 * @param host The outside.
 * @param lease Whose machine.
 * @param tree Where the chroot's tree is by now that it started from.
 * @returns The shell's exit code.
 * @throws {Failure} where the machine has ended, and nothing of it is kept.
 */
export async function openShell(host: Host, lease: Lease, tree: string): Promise<number> {
  const terminal = host.terminal.is("stdin") && host.terminal.is("stdout");
  const env = { ...PLAIN_ENVIRONMENT, HOME: "/root", TERM: host.env("TERM") ?? "dumb" };
  if (lease.held !== null) {
    return await whileLocked(host, lease.machine, async () => {
      if (await readLease(host, lease.store, lease.machine) === null) {
        throw refused(`Cannot open a shell in machine ${lease.machine}: it was removed just now`);
      }
      return await attend(host, keptArgv(lease, tree, terminal), env);
    });
  }
  if (!await isRunning(host, lease)) {
    throw refused(
      `Cannot open a shell in machine ${lease.machine}: it has ended`,
      "nspawn-runner list shows those that run",
    );
  }
  return await attend(host, runningArgv(host, lease, terminal, env), env);
}

/** Nothing but a shell runs there: what the job wrote is looked at, not continued. */
function keptArgv(lease: Lease, tree: string, terminal: boolean): Argv {
  const { folder } = machinePaths(lease.store, lease.machine);
  const root = storageOf(lease.storage).root(tree, folder, lease.ids, lease.layer);
  const argv: Argv = [
    "systemd-nspawn",
    "--quiet",
    `--machine=${lease.machine}`,
    ...(lease.supervisor === "systemd" ? [] : ["--register=no", "--keep-unit"]),
    ...root.options,
    ...(lease.ids === null ? [] : [`--private-users=${lease.ids}:${COUNT}`]),
    ...privilegeOptions({ settings: DEFAULT_PRIVILEGES, booted: false, ids: lease.ids }),
    "--private-network", // its programs are a stranger's, and a person looks at files alone
    "--settings=no",
    ...KEEP_ZONE,
    `--console=${terminal ? "interactive" : "pipe"}`,
    "--as-pid2",
    "--",
    ...SHELL,
  ];
  return root.wrap?.(argv) ?? argv;
}

/** The best that is there; a login shell, since a person sits before it. */
export const LOGIN_SHELL_SCRIPT =
  "if command -v bash >/dev/null; then exec bash -l; fi; exec sh -l";

const SHELL = ["/bin/sh", "-c", LOGIN_SHELL_SCRIPT];

function runningArgv(
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
      ...SHELL,
    ];
  }
  const leader = lease.leader!;
  const cgroup = join(leader.cgroup, `shell-${host.pid()}`);
  const argv = inOwnCgroup(cgroup, 1, enterArgv({ lease, leader }, SHELL));
  // A terminal of its own: a process of the job could type into ours.
  return terminal
    ? ["script", "--quiet", "--return", "--command", quoteCommand(argv), "/dev/null"]
    : argv;
}
