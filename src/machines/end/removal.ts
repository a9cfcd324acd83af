/**
 * Removes what ended machines wrote. It is moved aside in one step, so that a machine's name, ids and lease are free at
 * once; the removal itself takes as long as a job makes it take, and no other job waits for it.
 */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { REMOVE_LIMIT_FUNCTION } from "../../linux/btrfs_quota.ts";
import { unmountAll } from "../../linux/mounts.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { REMOVE_TREE_FUNCTIONS } from "../../linux/untrusted_tree.ts";
import { BUILDS, CACHES, REMOVED_PREFIX } from "../record/caches.ts";
import type { SupervisorKind } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";
import { machinePaths, removalsFolder } from "../record/paths.ts";
import { LIMIT_MARKER, SNAPSHOT } from "../storage/btrfs.ts";
import { SLICE } from "../supervisor/systemd.ts";

/**
 * Moves what an ended machine wrote aside, to be removed later. What it wrote to a disk of its own, or to a tmpfs, is
 * removed at once.
 *
 * @returns The new path; null where nothing is left.
 * @throws {Failure} `host` where it cannot be moved.
 */
export async function moveAside(
  host: Host,
  store: string,
  machine: MachineName,
): Promise<string | null> {
  const { folder, disk } = machinePaths(store, machine);
  await unmountAll(host, folder); // for a disk this frees its loop device
  await host.files.remove(disk);
  if (await host.files.lstat(folder) === null) return null;
  if ((await host.files.list(folder)).length === 0) {
    await host.files.remove(folder);
    return null;
  }
  const path = join(removalsFolder(store), `${machine}-${host.clock.now()}`);
  await host.files.makeDirectory(removalsFolder(store));
  await host.files.rename(folder, path);
  return path;
}

/**
 * Arguments: folders that were moved aside. Each is locked while it is removed; one that another process removes is left
 * alone. Fails where something stays.
 */
export const REMOVAL_SCRIPT = `${REMOVE_TREE_FUNCTIONS}${REMOVE_LIMIT_FUNCTION}
code=0
for folder; do
  [ -d "$folder" ] || continue
  # shellcheck disable=SC2094 # the descriptor is for the lock alone
  (
    flock --nonblock 9 || exit 0
    [ ! -e "$folder/${LIMIT_MARKER}" ] || remove_limit "$folder/${SNAPSHOT}" >/dev/null 2>&1
    remove_tree "$folder"
  ) 9<"$folder" || [ ! -d "$folder" ] || code=1
done
exit "$code"
`;

/**
 * Begins to remove folders that were moved aside, in the background, and behind all machines where systemd is PID 1.
 * Where the removal is interrupted, gc and the next prepare go on.
 */
export function startRemoval(
  host: Host,
  supervisor: SupervisorKind,
  folders: readonly string[],
): void {
  if (folders.length === 0) return;
  const argv = [...BACKGROUND[supervisor](), ...removalArgv(folders)] as const;
  const child = host.processes.start(argv, {
    env: MINIMAL_ENVIRONMENT,
    cwd: "/",
    stdout: "null",
    stderr: "null",
    detached: true,
  });
  child.unref();
}

/** The beginning of a command line that runs another one with a low priority. */
const BACKGROUND: Readonly<Record<SupervisorKind, () => Argv>> = {
  systemd: () => [
    "systemd-run",
    "--quiet",
    "--collect",
    `--unit=nspawn-runner-removal-${crypto.randomUUID()}`,
    `--slice=${SLICE}`,
    "--description=Removal of what CI machines wrote",
    "--property=IOWeight=1",
    "--property=Nice=19",
    "--",
  ],
  standalone: () => ["nice", "--adjustment=19", "ionice", "--class=idle"],
};

function removalArgv(folders: readonly string[]): Argv {
  return ["sh", "-c", REMOVAL_SCRIPT, "sh", ...folders];
}

/** Returns the folders of a store that were moved aside and are not removed yet, also those of evicted caches. */
export async function listRemovals(host: Host, store: string): Promise<string[]> {
  const removals: string[] = [];
  for (
    const [folder, prefix] of [
      [removalsFolder(store), ""],
      [join(store, CACHES.name), REMOVED_PREFIX],
      [join(store, BUILDS.name), REMOVED_PREFIX],
    ] as const
  ) {
    const entries = await host.files.list(folder);
    removals.push(
      ...entries.filter((entry) => entry.startsWith(prefix)).map((entry) => join(folder, entry)),
    );
  }
  return removals;
}

/** Milliseconds in which a removal that was begun has taken its lock. */
const START_TIMEOUT = 30_000;

/** Returns the folders among them whose removal was not begun just now: it may have been interrupted. */
export async function listOldRemovals(host: Host, store: string): Promise<string[]> {
  return (await listRemovals(host, store)).filter((folder) => {
    const age = host.clock.now() - Number(folder.slice(folder.lastIndexOf("-") + 1));
    return !(age >= 0 && age < START_TIMEOUT);
  });
}

/** Returns whether a process removes a folder that was moved aside. */
export async function isBeingRemoved(host: Host, folder: string): Promise<boolean> {
  const argv = ["sh", "-c", TRY_LOCK_SCRIPT, "sh", folder] as const;
  return (await host.processes.capture(argv)).code === BUSY;
}

/** The exit code where another process removes a folder: EX_TEMPFAIL of sysexits.h. */
const BUSY = 75;

/** Argument: the folder. */
export const TRY_LOCK_SCRIPT = `flock --nonblock 9 9<"$1" || exit ${BUSY}`;

/**
 * Removes a folder that was moved aside, unless another process does.
 *
 * @throws {Failure} `host` where something stays.
 */
export async function finishRemoval(host: Host, folder: string): Promise<void> {
  const { code, stderr } = await host.processes.capture(removalArgv([folder]));
  if (code === 0) return;
  throw hostFailure(`Cannot remove ${folder}: ${stderr.trim().split("\n")[0]}`);
}
