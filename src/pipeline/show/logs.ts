/** The files with the output of jobs, in a new folder. */

import { basename, dirname, join } from "@std/path/posix";
import { messageOf, refused } from "../../failure.ts";
import type { Host, Stat } from "../../host/host.ts";

/** The files that take the output of jobs. */
export interface Logs {
  /** Returns what takes the lines of an attempt of a job, without their ends. */
  attempt(job: string): (line: string) => void;
}

/** Bytes of an attempt's log: DefaultTraceOutputLimit in GitLab Runner's common/consts.go. */
const LIMIT = 4 * 1024 ** 2;
const LIMIT_REACHED = "The log has reached 4 MiB: the rest of the output is left out";

/**
 * Makes the folder. The user who called root by sudo may read the files, and no other user.
 *
 * @param jobs The names of the jobs.
 * @throws {Failure} `refused` where it exists, or another user could put a link in its place, through which root would write.
 */
export async function makeLogs(
  host: Host,
  path: string,
  jobs: readonly string[],
): Promise<Logs> {
  const parent = await host.files.real(dirname(path));
  if (parent === null) {
    const folder = dirname(path);
    throw refused(`Cannot write logs to ${path}: no such folder`, `Create it: mkdir -p ${folder}`);
  }
  await refuseUntrusted(host, path, parent);
  const folder = join(parent, basename(path));
  if (await host.files.lstat(folder) !== null) throw existing(path);
  await host.files.makeDirectory(folder, 0o755);
  const made = await host.files.lstat(folder);
  if (made?.kind !== "directory" || made.uid !== host.uid()) throw existing(path);
  return logsIn(host, folder, jobs);
}

function existing(path: string): Error {
  return refused(`Cannot write logs to ${path}: it exists`, "Remove it, or name a new folder");
}

const WRITABLE_BY_OTHERS = 0o022;
const WRITABLE_BY_ALL = 0o002;
const STICKY = 0o1000;

async function refuseUntrusted(host: Host, path: string, parent: string): Promise<void> {
  const trusted = [0, host.uid(), callerOf(host)?.uid];
  for (let folder = parent;; folder = dirname(folder)) {
    const stat = await host.files.stat(folder);
    if (stat === null || !trusted.includes(stat.uid) || canReplace(stat)) {
      throw refused(
        `Cannot write logs to ${path}: other users can change ${folder}`,
        "Name a folder of root's own, or below /tmp: --logs /tmp/logs",
      );
    }
    if (folder === "/") return;
  }
}

/** Returns whether others can replace what is in a folder. A user often has a group without other members. */
function canReplace({ mode, uid }: Stat): boolean {
  const writable = uid === 0 ? WRITABLE_BY_OTHERS : WRITABLE_BY_ALL;
  return (mode & writable) !== 0 && (mode & STICKY) === 0;
}

/** Returns the user who called root: sudo(8). */
function callerOf(host: Host): { readonly uid: number; readonly gid: number } | null {
  const [uid, gid] = ["SUDO_UID", "SUDO_GID"].map((name) => host.env(name) ?? "");
  return /^\d+$/.test(uid!) && /^\d+$/.test(gid!) ? { uid: Number(uid), gid: Number(gid) } : null;
}

function logsIn(host: Host, folder: string, jobs: readonly string[]): Logs {
  const caller = callerOf(host);
  const files = new Map(jobs.map((name, index) => [name, join(folder, fileNameOf(name, index))]));
  const begun = new Set<string>();
  const lost = new Set<string>();
  const begin = (file: string) => {
    if (begun.has(file)) return [];
    begun.add(file);
    const made = host.files.write(file, "", 0o600);
    return caller === null ? [made] : [made, host.files.chown(file, caller.uid, caller.gid)];
  };
  // Not one after another: a line that waits could be lost at the end.
  const write = (file: string, line: string) => {
    Promise.all([...begin(file), host.files.append(file, `${line}\n`)]).catch((error) => {
      if (lost.has(file)) return;
      lost.add(file);
      host.log.warn(`Output is lost: cannot write ${file}: ${messageOf(error)}`);
    });
  };
  return { attempt: (job) => limited((line) => write(files.get(job)!, line)) };
}

/** Drops the lines beyond the limit, and writes one in their place. */
function limited(write: (line: string) => void): (line: string) => void {
  const encoder = new TextEncoder();
  let left = LIMIT;
  return (line) => {
    if (left < 0) return;
    left -= encoder.encode(line).length + 1;
    write(left < 0 ? LIMIT_REACHED : line);
  };
}

/** A name of a job may contain a slash, and be longer than names of files. */
function fileNameOf(job: string, index: number): string {
  const name = job.replaceAll(/[%/]/g, encodeURIComponent);
  return `${name.length <= 80 ? name : `${name.slice(0, 70)}-${index + 1}`}.log`;
}
