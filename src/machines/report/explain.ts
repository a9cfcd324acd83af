/** Explains failed scripts by the limits of the machine and the host, which the script itself does not see. */

import type { Ending } from "../../ending.ts";
import type { Host } from "../../host/host.ts";
import { formatSize } from "../../text/size.ts";
import { type Failures, readFailures } from "./failures.ts";
import type { Lease } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import { storageOf } from "../storage/choose.ts";
import type { Remaining } from "../storage/storage.ts";
import { supervisorOf } from "../supervisor/choose.ts";
import { readUsage, type Usage } from "./usage.ts";

/** The explanation of a failed stage. */
export interface Explanation {
  /** How it ended; `out-of-memory` where its process was killed for its memory. */
  readonly ending: Ending;
  /** One reason per line, with the setting that raises the limit. */
  readonly lines: readonly string[];
  /** The failures before this one. */
  readonly before: Failures;
  /** The counters now, so that they do not explain the next failure, too. */
  readonly oomKills: number;
  readonly tasksRefused: number;
}

/**
 * Explains a failed stage. The explanation has no lines where the host has no part in the failure.
 *
 * @param began When the stage began, in milliseconds since 1970.
 * @param cancelled Whether GitLab Runner, or a person, cancelled the stage.
 */
export async function explainFailure(
  host: Host,
  lease: Lease,
  ending: Ending,
  began: number,
  cancelled: boolean,
): Promise<Explanation> {
  if (ending.kind === "lost") return await explainLoss(host, lease, ending, began);
  const [usage, before, left] = await Promise.all([
    readUsage(host, lease),
    readFailures(host, lease),
    remainingOf(host, lease),
  ]);
  const oomKills = usage.oomKills ?? 0;
  const tasksRefused = usage.tasksRefused ?? 0;
  const lines = [
    outOfMemory(oomKills - before.oomKills, usage),
    slowedDown(usage, cancelled),
    outOfTasks(tasksRefused - before.tasksRefused, usage),
    outOfOwnDisk(left, lease) ?? outOfDisk(usage, lease),
    outOfTime(host, lease, cancelled),
  ].filter((line) => line !== null);
  const killed = oomKills > before.oomKills && isKill(ending);
  return {
    ending: killed ? { kind: "out-of-memory", limit: limitOf(usage) } : ending,
    lines,
    before,
    oomKills,
    tasksRefused,
  };
}

/** Where files on a tmpfs fill the memory, the kernel may have to kill the machine itself. */
async function explainLoss(
  host: Host,
  lease: Lease,
  ending: Ending,
  began: number,
): Promise<Explanation> {
  const before = await readFailures(host, lease);
  const known = { before, oomKills: before.oomKills, tasksRefused: before.tasksRefused };
  if (!await supervisorOf(lease).ranOutOfMemory(host, lease, began)) {
    return { ending, lines: [], ...known };
  }
  const line = "Out of memory: the kernel killed the machine. Files in /dev/shm and " +
    "on a tmpfs are memory, too. The administrator can raise limits.memory_max, or MemoryMax= of machine-ci.slice";
  return { ending: { kind: "out-of-memory", limit: "the machine's" }, lines: [line], ...known };
}

/** SIGKILL of the script itself, or of a child whose exit code the script passes on. */
function isKill(ending: Ending): boolean {
  return ending.kind === "signalled"
    ? ending.signal === 9
    : "code" in ending && ending.code === 137;
}

function outOfMemory(kills: number, usage: Usage): string | null {
  if (kills <= 0) return null;
  const setting = usage.memoryMax === null
    ? "MemoryMax= of machine-ci.slice, or run fewer jobs at once"
    : "limits.memory_max";
  return `Out of memory: ${times(kills, "process")} killed at ${
    limitOf(usage)
  }. The administrator can raise ${setting}`;
}

/** Seconds of waiting for memory that explain why a job was slow. */
const LONG_STALL = 10;

/** Above `memory_high` the kernel lets processes wait for memory: a job may crawl until its time-out. */
function slowedDown({ memoryHigh, slowedDown, memoryStalled }: Usage, cancelled: boolean) {
  if ((slowedDown ?? 0) === 0) return null;
  const seconds = memoryStalled === null ? null : Math.round(memoryStalled / 1e6);
  if (seconds === null ? !cancelled : seconds < LONG_STALL) return null;
  const limit = memoryHigh === null ? "" : `, ${formatSize(memoryHigh)}`;
  return `Slowed down: the job waited ${seconds === null ? "" : `${seconds} s `}for memory above ` +
    `limits.memory_high${limit}. The administrator can raise it, ` +
    "or set limits.memory_max below it, which ends such a job";
}

/** Returns the limit at which processes of a machine are killed for their memory. */
export function limitOf({ memoryMax }: Pick<Usage, "memoryMax">): string {
  return memoryMax === null ? "the limit of all machines together" : formatSize(memoryMax);
}

function outOfTasks(refusals: number, { tasksMax }: Usage): string | null {
  if (refusals <= 0) return null;
  const limit = tasksMax === null ? "the host's limit" : `${tasksMax}`;
  return `Too many processes: refused ${
    times(refusals, "time")
  } at ${limit}. The administrator can raise limits.tasks_max`;
}

/** With less free than this share and these bytes a disk is full: file systems reserve some space. */
const FULL_BELOW_SHARE = 0.005;
const FULL_BELOW_BYTES = 16 * 1024 ** 2;

async function remainingOf(host: Host, { diskMax, storage, store, machine }: Lease) {
  if (diskMax === null) return null;
  return await storageOf(storage).remaining(host, machinePaths(store, machine).folder);
}

/** Bytes below which btrfs refuses even a small file. */
const BTRFS_FULL_BELOW = 1024 ** 2;

/** Explains a full disk by the machine's own limit. */
function outOfOwnDisk(left: Remaining | null, { diskMax }: Lease): string | null {
  if (left === null || diskMax === null) return null;
  const raise = "The administrator can raise limits.disk_max";
  if (left.bytes < BTRFS_FULL_BELOW || isFull(left.bytes, diskMax)) {
    return `Disk full: the machine may write ${formatSize(diskMax)}. ${raise}`;
  }
  return left.files === 0
    ? `Too many files: no more fit into the ${
      formatSize(diskMax)
    } that the machine may write. ${raise}`
    : null;
}

function isFull(free: number, size: number): boolean {
  return free <= Math.min(FULL_BELOW_BYTES, size * FULL_BELOW_SHARE);
}

function outOfDisk({ diskFree, diskSize }: Usage, lease: Lease): string | null {
  const { storage, store, diskMax } = lease;
  if (diskFree === null || diskSize === null || !isFull(diskFree, diskSize)) return null;
  if (storage === "tmpfs" && diskMax !== null) return null; // its writes are not on that disk
  return storage === "tmpfs"
    ? `Disk full: ${formatSize(diskFree)} left of the memory that holds what the job writes. ` +
      'The administrator can use the disk instead: storage = "overlay"'
    : `Disk full: ${
      formatSize(diskFree)
    } left in ${store} on the host. The administrator can free some: nspawn-runner gc`;
}

/** GitLab Runner cancels a job at its time-out as it does at a person's request. */
function outOfTime(host: Host, { timeout, began }: Lease, cancelled: boolean): string | null {
  if (!cancelled || timeout === null) return null;
  if (host.clock.now() - Date.parse(began) < (timeout - CLOCK_TOLERANCE) * 1000) return null;
  return `Time-out: the job was ended after ${timeout} s. Raise it: timeout in .gitlab-ci.yml, ` +
    "or in the settings of the project or the runner";
}

/** Seconds by which the runner may have started the job's clock before this program did. */
const CLOCK_TOLERANCE = 10;

/** Returns a count of things as text. */
export function times(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : word.endsWith("s") ? "es" : "s"}`;
}
