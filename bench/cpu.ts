/** Measures CPU time. */

import process from "node:process";
import { cgroupOf, cgroupRoot } from "./cgroups.ts";
import { pause } from "./measure.ts";
import { hasSystemd } from "./system.ts";

/** Reads the CPU time so far, in milliseconds. */
export type CpuClock = () => Promise<number>;

/**
 * Returns the clock of the CPU time of all processes but the benchmark's own. On a host with systemd these are all
 * processes of the host, since daemons such as systemd, machined or Docker's work for a call, too; elsewhere those
 * that the benchmark started. Threads of the kernel belong to no cgroup.
 */
export async function cpuClock(): Promise<CpuClock> {
  const file = `${await hasSystemd() ? await cgroupRoot() : await cgroupOf("self")}/cpu.stat`;
  return async () => {
    const micros = (await Deno.readTextFile(file)).match(/^usage_usec (\d+)$/m)?.[1];
    const { user, system } = process.cpuUsage();
    return (Number(micros) - user - system) / 1000;
  };
}

/**
 * Measures an action together with the pause that follows it, so that its CPU time includes what it left to be done in
 * the background.
 *
 * @param act Returns its own milliseconds.
 */
export async function costOf(
  clock: CpuClock,
  act: () => Promise<number>,
): Promise<{ ms: number; cpu: number }> {
  const before = await clock();
  const ms = await act();
  await pause();
  return { ms, cpu: await clock() - before };
}
