/** Shows the output of a job's services in the log of the job, line by line. */

import { join } from "@std/path/posix";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { CHANNEL } from "../machines/record/channel.ts";
import { findLease, type Lease, type StoreFinder } from "../machines/record/lease.ts";
import type { MachineName } from "../machines/record/name.ts";
import { type MachinePaths, machinePaths } from "../machines/record/paths.ts";
import { outputSince } from "../machines/services/output.ts";

/** Milliseconds between two looks at the output of services. */
const INTERVAL = 250;

/**
 * Shows what the services of a job write while something else runs, and at its end what they have written until then.
 *
 * Their output is read from files: a pipe that nobody reads would stop a service. Lines are written only where the output
 * before them has ended its line, or has ended.
 *
 * @param job The lease of the job's machine.
 * @param isLast Whether no later call shows output of these services.
 */
export async function whileShowingServices<T>(
  host: Host,
  job: Pick<Lease, "store" | "services">,
  isLast: boolean,
  act: () => Promise<T>,
): Promise<T> {
  const ended = Promise.withResolvers<void>();
  let isOver = false;
  const show = async () => {
    while (!isOver) {
      await pause(host, ended.promise);
      if (!isOver && host.terminal.isAtLineStart()) await showServices(host, job, false);
    }
    await showServices(host, job, isLast);
  };
  const showing = show().catch((error) =>
    host.log.warn(`nspawn-runner: cannot show the output of services: ${messageOf(error)}`)
  );
  try {
    return await act();
  } finally {
    isOver = true;
    ended.resolve();
    await showing;
  }
}

/** Waits for the next look, or for the end. */
function pause(host: Host, ended: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = host.clock.after(INTERVAL, resolve);
    ended.then(cancel).then(resolve);
  });
}

/** Does the same for the services of a machine of a job; shows nothing where there is no such machine. */
export async function whileShowing<T>(
  host: Host,
  { machine, store, isLast }: { machine: MachineName; store: StoreFinder; isLast: boolean },
  act: () => Promise<T>,
): Promise<T> {
  const job = await findLease(host, machine, store);
  return job === null ? await act() : await whileShowingServices(host, job, isLast, act);
}

async function showServices(
  host: Host,
  { store, services }: Pick<Lease, "store" | "services">,
  isLast: boolean,
): Promise<void> {
  for (const { machine, aliases } of services) {
    const paths = machinePaths(store, machine);
    const position = await readPosition(host, paths);
    const output = await outputSince(host, paths, position, isLast);
    if (output.position === position) continue;
    const lines = output.isDropped ? [DROPPED, ...output.lines] : output.lines;
    if (!host.terminal.isAtLineStart()) host.terminal.out("\n");
    host.terminal.out(lines.map((line) => shown(host, prefixOf(aliases) + line)).join(""));
    await host.files.write(positionIn(paths), `${output.position}`);
  }
}

const DROPPED = "… some output was dropped";

/** As Docker's executor marks such lines. The last names are those of the job's own. */
function prefixOf(aliases: readonly string[]): string {
  return `[service:${aliases.slice(-2).join("-")}] `;
}

/** Grey on a terminal with colours. */
function shown(host: Host, line: string): string {
  const isColored = host.terminal.is("stdout") && !host.env("NO_COLOR");
  return isColored ? `\x1b[90m${line}\x1b[0m\n` : `${line}\n`;
}

async function readPosition(host: Host, paths: MachinePaths): Promise<number> {
  return Number(await host.files.read(positionIn(paths)) ?? 0) || 0;
}

/** The machine can change nothing there. */
function positionIn({ stage }: MachinePaths): string {
  return join(stage, CHANNEL.shown);
}
