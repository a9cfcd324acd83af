/** Starts the PID 1 of a host, and waits. */

import { must } from "./command.ts";
import type { Folder } from "./folder.ts";

const TIMEOUT = 120_000;

/**
 * Starts a command that creates a PID namespace, in the host's cgroup and as no child of a test. Its output goes
 * to the file `log` in the host's folder; its process and the namespace's PID 1 are recorded there.
 *
 * @param env Added to the environment of the tests.
 * @returns PID 1 of the namespace, as the tests see it.
 */
export async function launch(
  folder: Folder,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const outer = await startDetached(folder, ["env", ...settings, ...argv]);
  const leader = await until(() => init(outer), TIMEOUT);
  if (leader === null) {
    throw new Error(`no PID 1 below ${outer}:\n${await Deno.readTextFile(`${folder.path}/log`)}`);
  }
  await folder.record(leader);
  await folder.record(outer);
  return leader;
}

/**
 * Starts a command in the host's cgroup, as no child of a test. Its output goes to the file `log` in the folder.
 *
 * @returns Its process id.
 */
export async function startDetached(folder: Folder, argv: readonly string[]): Promise<number> {
  const script =
    'cgroup=$1 log=$2 && shift 2 && (echo 0 >"$cgroup/cgroup.procs" && exec setsid "$@") ' +
    '</dev/null >>"$log" 2>&1 & echo $!';
  return Number(
    await must(["sh", "-c", script, "sh", folder.cgroup, `${folder.path}/log`, ...argv]),
  );
}

/**
 * Waits until a function returns a value.
 *
 * @param timeout In milliseconds.
 * @returns The value; null after the time-out.
 */
export async function until<T>(look: () => Promise<T | null>, timeout: number): Promise<T | null> {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await look();
    if (value !== null || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function init(pid: number): Promise<number | null> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  for (const child of children.split(" ").filter(Boolean)) {
    const status = await Deno.readTextFile(`/proc/${child}/status`).catch(() => "");
    if (/^NSpid:.*\t1$/m.test(status)) return Number(child);
  }
  return null;
}
