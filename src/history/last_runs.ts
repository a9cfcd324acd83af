/** When the commands of the timers last ran, and whether they failed. */

import { join } from "@std/path/posix";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { historyFolder } from "./folder.ts";
import { isOwnStore } from "./own_store.ts";

/** A command of a timer. */
export type TimerCommand = "gc" | "maintenance";

/** The last run of such a command. */
export interface LastRun {
  /** When it ended, as ISO 8601. */
  readonly ended: string;
  /** Whether something of it failed. */
  readonly failed: boolean;
  /** Bytes of the caches that gc kept. */
  readonly cacheBytes?: number;
}

/** Records a run. A failure is only logged: the run itself counts more. */
export async function recordRun(
  host: Host,
  store: string,
  command: TimerCommand,
  run: Omit<LastRun, "ended">,
): Promise<void> {
  if (!await isOwnStore(host, store)) return;
  try {
    await host.files.makeDirectory(historyFolder(store));
    const ended = new Date(host.clock.now()).toISOString();
    await host.files.replace(pathOf(store, command), JSON.stringify({ ended, ...run }) + "\n");
  } catch (error) {
    host.log.step(`Cannot record the run of ${command}: ${messageOf(error)}`);
  }
}

/** Returns the last run of a command; null where there was none. */
export async function readLastRun(
  host: Host,
  store: string,
  command: TimerCommand,
): Promise<LastRun | null> {
  try {
    const run = JSON.parse(await host.files.read(pathOf(store, command)) ?? "null");
    return typeof run?.ended === "string" && typeof run.failed === "boolean" ? run : null;
  } catch {
    return null;
  }
}

function pathOf(store: string, command: TimerCommand): string {
  return join(historyFolder(store), `last-${command}.json`);
}
