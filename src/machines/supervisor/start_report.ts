/** What is reported of a machine that starts slowly, or not at all. */

import { hostFailure, messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import type { Lease } from "../record/lease.ts";
import { MAX_LOG_LINES } from "./supervisor.ts";

/** Milliseconds of a boot after which the log names what it waits for, again and again. */
const SLOW_BOOT = 10_000;

/**
 * Starts a machine; where its boot takes long, logs the units that its systemd waits for.
 *
 * @param findPid Finds the process id of the machine's PID 1.
 */
export async function reportWhileStarting<T>(
  host: Host,
  spec: MachineSpec,
  lease: Lease,
  findPid: () => Promise<number | null>,
  start: () => Promise<T>,
): Promise<T> {
  if (!spec.booted) return await start();
  let hasEnded = false;
  let reported = "";
  const report = async () => {
    const { runningBootJobs } = await import("./boot_jobs.ts");
    const units = (await runningBootJobs(host, lease, await findPid())).join(", ");
    if (hasEnded || units === "" || units === reported) return;
    reported = units;
    host.log.info(`Machine ${spec.name} is still booting. Its systemd waits for ${units}`);
  };
  const next = () =>
    host.clock.after(SLOW_BOOT, () => {
      cancel = next();
      report().catch((error) => host.log.warn(messageOf(error)));
    });
  const starting = start();
  let cancel = next(); // meanwhile, since the first timer of a process takes several milliseconds
  try {
    return await starting;
  } finally {
    hasEnded = true;
    cancel();
  }
}

/**
 * Returns the failure of a machine that did not start: first the reason, then the lines of output before it.
 *
 * @param output The output of nspawn and the machine, and systemd's messages about them.
 * @param timedOut Whether the time was over; else the last line of the output is the reason.
 */
export function cannotStart(spec: MachineSpec, output: string, timedOut: boolean): Error {
  const { name, settings: { prepare_timeout } } = spec;
  const lines = output.split("\n").filter((line) => line.trim() !== "").slice(-MAX_LOG_LINES);
  const reason = timedOut
    ? `it was not ready within ${prepare_timeout} s`
    : lines.pop() ?? "it ended without any output";
  return hostFailure(
    [`Cannot start machine ${name}: ${reason}`, ...lines].join("\n"),
    timedOut ? "Raise prepare_timeout" : hintOf(spec, output),
  );
}

function hintOf(spec: MachineSpec, output: string): string | undefined {
  if (CRASH.test(output)) return crashHint(spec);
  return MISSING.test(output)
    ? `Its chroot lacks a program that a machine needs. ${REBUILD}`
    : undefined;
}

const REBUILD = "Build it again: nspawn-runner chroot-remove, then nspawn-runner chroot-create";

/** nspawn's message about the first program, where the tree does not have it. */
const MISSING = /\bexecv\(.*\) failed: No such file or directory/;

/** nspawn's message about a payload that crashed, and the C library's own: either may come last, or be missing. */
const CRASH = /terminated by signal (ABRT|BUS|FPE|ILL|SEGV)\b|\*\*\* stack smashing detected/;

/** The first program of a plain machine with a helper root, as on a pulled image, is the helper root's. */
function crashHint({ booted, helper }: MachineSpec): string {
  return helper !== null && !booted
    ? "The busybox of the helper root crashes. Build that chroot again: " +
      "nspawn-runner chroot-remove helper, then nspawn-runner chroot-create helper"
    : `The chroot's own init or /bin/sh crashes; its libraries may be of different releases. ${REBUILD}`;
}
