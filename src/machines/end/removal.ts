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
import { exportMountOf } from "../../linux/nspawn_leftovers.ts";
import { REMOVE_TREE_FUNCTIONS } from "../../linux/untrusted_tree.ts";
import { KEPT_FOLDERS, REMOVED_PREFIX } from "../record/caches.ts";
import type { SupervisorKind } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";
import { machinePaths, recordOf, removalsFolder } from "../record/paths.ts";
import { LIMIT_MARKER, SNAPSHOT } from "../storage/btrfs.ts";
import { SLICE, unitFile } from "../supervisor/unit.ts";

/**
 * Moves what an ended machine wrote aside, to be removed later. Of what it wrote to a disk of its own, or to a tmpfs, only
 * an empty folder is left: the kernel frees the rest when no nspawn uses it any more.
 *
 * @param awaited The new path where a removal waits for it already: {@linkcode finishArgv}.
 * @returns The new path; null where nothing is left.
 * @throws {Failure} `host` where it cannot be moved.
 */
export async function moveAside(
  host: Host,
  store: string,
  machine: MachineName,
  awaited?: string,
): Promise<string | null> {
  const { folder, disk } = machinePaths(store, machine);
  await unmountAll(host, folder);
  await host.files.remove(disk);
  if (await host.files.lstat(folder) === null) return null;
  if (awaited === undefined && (await host.files.list(folder)).length === 0) {
    await host.files.remove(folder);
    return null;
  }
  const path = awaited ?? pathAside(host, store, machine);
  await host.files.makeDirectory(removalsFolder(store));
  await host.files.rename(folder, path);
  return path;
}

/** Returns a path to which what a machine wrote can be moved. */
export function pathAside(host: Host, store: string, machine: MachineName): string {
  return join(removalsFolder(store), `${machine}-${host.clock.now()}`);
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

/** Longest wait in the background for the end of nspawn, and until a folder is moved aside, in steps of 0.05 s. */
const MAX_STEPS = 200;

/** A shell function that waits for a condition of test(1), which is its arguments. */
const WAIT_FUNCTION = `
wait_until() {
  steps=0
  until test "$@" || [ "$steps" -ge ${MAX_STEPS} ]; do
    sleep 0.05
    steps=$((steps + 1))
  done
}
`;

/**
 * Finishes the end of a machine whose processes were killed, and removes what it wrote. Until nspawn has ended, the
 * folder is the upper layer of a mounted overlay, or a mounted snapshot.
 *
 * Arguments: the path to which the folder will be moved, the file of the machine's unit, machined's record, the folder
 * that an nspawn that was killed leaves mounted.
 */
export const FINISH_UNIT_SCRIPT = `${WAIT_FUNCTION}
wait_until -d "$1"
wait_until ! -e "$2"
if [ -d "$4" ] && [ ! -e "$2" ] && [ ! -e "$3" ]; then
  umount --quiet "$4"
  rmdir "$4"
fi
set -- "$1"
${REMOVAL_SCRIPT}`;

/**
 * Returns the command that removes what a killed machine wrote as soon as its unit is gone, behind all machines.
 *
 * @param aside The path to which it will be moved.
 */
export function finishArgv(machine: MachineName, aside: string): Argv {
  return [
    ...BACKGROUND.systemd(),
    ...["sh", "-c", FINISH_UNIT_SCRIPT, "sh"],
    ...[aside, unitFile(machine), recordOf(machine), exportMountOf(machine)],
  ];
}

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
      ...KEPT_FOLDERS.map(({ name }) => [join(store, name), REMOVED_PREFIX] as const),
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
