/** PID 1 of what was just started. */

import { must } from "./command.ts";
import type { Folder } from "./folder.ts";

const PATIENCE = 120_000;

/**
 * Starts a command that makes a PID namespace, in the folder's cgroup and independent of any test.
 *
 * @param folder Its outer side; what it says goes to `log` there.
 * @param argv The command.
 * @param env Its environment, on top of the tests' own.
 * @returns PID 1 of the namespace, as seen from here; both processes are recorded.
 */
export async function launch(
  folder: Folder,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const outer = await startApart(folder, ["env", ...settings, ...argv]);
  const leader = await until(() => leaderOf(outer), PATIENCE);
  if (leader === null) {
    throw new Error(`no PID 1 below ${outer}:\n${await Deno.readTextFile(`${folder.path}/log`)}`);
  }
  await folder.record(leader);
  await folder.record(outer);
  return leader;
}

/**
 * Starts a command in the folder's cgroup, independent of any test.
 *
 * @param folder Its outer side; what it says goes to `log` there.
 * @param argv The command.
 * @returns Its process id.
 */
export async function startApart(folder: Folder, argv: readonly string[]): Promise<number> {
  const script =
    'cgroup=$1 log=$2 && shift 2 && (echo 0 >"$cgroup/cgroup.procs" && exec setsid "$@") ' +
    '</dev/null >>"$log" 2>&1 & echo $!';
  return Number(
    await must(["sh", "-c", script, "sh", folder.cgroup, `${folder.path}/log`, ...argv]),
  );
}

/**
 * Waits for a value.
 *
 * @param look Gives it, or null while it is not there.
 * @param patience Longest wait, in milliseconds.
 * @returns Null when the time is over.
 */
export async function until<T>(look: () => Promise<T | null>, patience: number): Promise<T | null> {
  const end = Date.now() + patience;
  for (;;) {
    const value = await look();
    if (value !== null || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function leaderOf(pid: number): Promise<number | null> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  for (const child of children.split(" ").filter(Boolean)) {
    const status = await Deno.readTextFile(`/proc/${child}/status`).catch(() => "");
    if (/^NSpid:.*\t1$/m.test(status)) return Number(child);
  }
  return null;
}
