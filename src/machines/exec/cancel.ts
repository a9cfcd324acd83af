/** Ends the processes of a stage, from the host. */

import { dirname, join } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import type { Host, Pipe } from "../../host/host.ts";
import { signalCgroup } from "../../linux/cgroups.ts";
import { until } from "../../linux/wait.ts";
import { SERVER_UNIT, STAGE_CGROUP, STOP_SECONDS } from "../record/channel.ts";
import type { EnteredMachine } from "./enter.ts";

/** What ends a stage when a signal is aborted. */
export interface Cancelling {
  /** Returns the milliseconds since the stage got SIGTERM; null before. */
  sinceTerm(): number | null;
  /** Stops listening, and waits until no signal is sent any more. */
  settle(): Promise<void>;
}

/**
 * Ends a stage when a signal is aborted: by SIGTERM, then by SIGKILL if it goes on for {@linkcode STOP_SECONDS}. Neither
 * waits for its processes nor removes its cgroup: the server puts the process that waits for the next script there.
 *
 * @param call The pipe by which the stage is called.
 */
export function cancelWhenAborted(
  host: Host,
  machine: EnteredMachine,
  call: Pipe,
  signal: AbortSignal,
): Cancelling {
  let termSent: number | null = null;
  let isSettled = false;
  let ending = Promise.resolve();
  const sinceTerm = () => termSent === null ? null : host.clock.monotonic() - termSent;
  const end = async () => {
    call.close(); // a server that has not read the call does not begin any more
    await signalStage(host, machine, "TERM");
    termSent = host.clock.monotonic();
    await until(host, { interval: STOP_INTERVAL }, () => {
      return isSettled || sinceTerm()! > STOP_SECONDS * 1000;
    });
    if (!isSettled) await signalStage(host, machine, "KILL");
  };
  const onAbort = () => {
    ending = end().catch((error) => host.log.warn(messageOf(error)));
  };
  signal.addEventListener("abort", onAbort);
  return {
    sinceTerm,
    async settle() {
      isSettled = true;
      signal.removeEventListener("abort", onAbort);
      await ending;
    },
  };
}

/** Milliseconds between two looks whether a cancelled stage has ended; long enough to be no nap. */
const STOP_INTERVAL = 50;

/** Kills all processes of a stage whose `run` was killed. */
export function killStage(host: Host, machine: EnteredMachine): Promise<void> {
  return signalStage(host, machine, "KILL");
}

function signalStage(
  host: Host,
  { lease, leader }: EnteredMachine,
  signal: "TERM" | "KILL",
): Promise<void> {
  // The server of a booted machine is a service beside the machine's systemd, which is in init.scope.
  const server = lease.booted ? join(dirname(leader.cgroup), SERVER_UNIT) : leader.cgroup;
  return signalCgroup(host, join(server, STAGE_CGROUP), signal);
}
