/** Waits until the services of a job are ready. */

import type { Host } from "../../host/host.ts";
import { until } from "../../linux/wait.ts";
import type { MachinePaths } from "../record/paths.ts";
import { readServiceState, type ServiceState } from "./state.ts";

/** A service to wait for. */
export interface AwaitedService {
  readonly paths: MachinePaths;
  /** The address by which the job reaches it. */
  readonly address: string;
  /** The TCP ports of which one has to answer; none where it has no port. */
  readonly ports: readonly number[];
  readonly hasHealthcheck: boolean;
}

/** How the wait for a service ended. */
export type ReadyResult =
  | { readonly kind: "ready" }
  /** Its program cannot run. */
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "late" };

/** Milliseconds after which a service without ports counts as ready, if its program still runs. */
const SETTLED = 300;

/** Milliseconds between two looks at the report of a service. */
const INTERVAL = 25;

/** Exit codes of a shell whose command does not exist, or cannot be executed. */
const NO_COMMAND: readonly number[] = [126, 127];

/**
 * Waits until a service is ready: its health is good, where its image has a test of it; else one of its ports answers; else
 * its program has run for a moment.
 *
 * @param leader PID 1 of the job's machine, from whose network the ports are tried; null for the host's network.
 * @param timeout Milliseconds.
 * @param signal Ends the wait when aborted, as if the time were over.
 */
export async function waitForService(
  host: Host,
  service: AwaitedService,
  leader: number | null,
  timeout: number,
  signal: AbortSignal,
): Promise<ReadyResult> {
  const ended = new AbortController();
  const stop = () => ended.abort();
  signal.addEventListener("abort", stop);
  let answers = false;
  const asking = service.hasHealthcheck
    ? []
    : service.ports.map((port) =>
      waitForPort(host, service.address, port, leader, ended.signal).then((answered) => {
        answers ||= answered;
      })
    );
  let started: number | null = null;
  const look = async (): Promise<ReadyResult | null> => {
    const state = await readServiceState(host, service.paths);
    const failed = failureOf(state);
    if (failed !== null) return failed;
    if (state.hasStarted) started ??= host.clock.monotonic();
    if (service.hasHealthcheck) return state.isHealthy ? READY : null;
    if (service.ports.length > 0) return answers ? READY : null;
    return started !== null && host.clock.monotonic() - started >= SETTLED ? READY : null;
  };
  try {
    return await until(host, { timeout, interval: INTERVAL, signal }, look) ?? { kind: "late" };
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await Promise.all(asking);
  }
}

const READY: ReadyResult = { kind: "ready" };

function failureOf({ failure, code }: ServiceState): ReadyResult | null {
  if (failure !== null) return { kind: "failed", reason: failure };
  if (code === null) return null;
  return NO_COMMAND.includes(code)
    ? { kind: "failed", reason: `its command cannot run: it ended with ${code}` }
    : { kind: "exited", code };
}

/**
 * Arguments: an address, a port, the calling process. Ends when the port accepts a connection, or with its caller. The
 * pauses grow from 0.05 to 1 s. It has no child that could outlive it: a connection that nobody accepts takes minutes.
 */
export const WAIT_FOR_PORT_SCRIPT = `
exec {pipe}<> <(:) # nobody writes to it
pause=5
until { : <"/dev/tcp/$1/$2"; } 2>/dev/null; do
  [[ -d /proc/$3 ]] || exit 1
  printf -v seconds '%d.%02d' $((pause / 100)) $((pause % 100))
  read -r -t "$seconds" -u "$pipe" _
  ((pause = pause < 50 ? pause + 1 : 100))
done
`;

/** Returns whether a port answered before the signal. */
async function waitForPort(
  host: Host,
  address: string,
  port: number,
  leader: number | null,
  signal: AbortSignal,
): Promise<boolean> {
  const enter = leader === null ? [] : ["nsenter", `--net=/proc/${leader}/ns/net`];
  const words = ["bash", "-c", WAIT_FOR_PORT_SCRIPT, "bash", address, `${port}`, `${host.pid()}`];
  const [program = "bash", ...rest] = [...enter, ...words];
  const { code } = await host.processes.capture([program, ...rest], { signal });
  return code === 0;
}
