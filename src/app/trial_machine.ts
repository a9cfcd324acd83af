/** Machines in which scripts run as in a job: for the trial of a new chroot, and for the doctor. */

import type { Ending } from "../ending.ts";
import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import { runStage } from "../machines/use/run_script.ts";
import { withMachine } from "./short_machine.ts";

/** A machine that runs, until {@linkcode withTrialMachine} ends it. */
export interface TrialMachine {
  readonly lease: Lease;
  /** Whether the limits of its settings are enforced. */
  readonly enforcesLimits: boolean;
  /** Runs a script as a stage of a job, on our own stdout and stderr. */
  readonly run: (script: string) => Promise<Ending>;
  /** Runs a script as a stage of a job, and returns what it printed to stdout. */
  readonly capture: (script: string) => Promise<string>;
}

/**
 * Starts a machine, and ends it when the given function returns or throws.
 *
 * @throws {Failure} `host` where the machine does not start.
 */
export async function withTrialMachine<T>(
  host: Host,
  plan: MachinePlan,
  interrupt: AbortSignal,
  act: (machine: TrialMachine) => Promise<T>,
): Promise<T> {
  const store = () => Promise.resolve(plan.store);
  const runOn = async (host: Host, script: string) => {
    const stage = {
      script: new TextEncoder().encode(script),
      shell: undefined,
      streams: "both",
      kind: "script",
    } as const;
    return (await runStage(host, store, plan.name, stage, interrupt)).ending;
  };
  return await withMachine(host, plan, interrupt, ({ lease, ready }) =>
    act({
      lease,
      enforcesLimits: ready.supervisor.enforcesLimits,
      run: (script) => runOn(host, script),
      async capture(script) {
        const capturing = capturingHost(host);
        await runOn(capturing.host, script);
        return capturing.stdout();
      },
    }));
}

/** Returns a host that keeps what would go to stdout, and drops what would go to stderr. */
function capturingHost(host: Host): { readonly host: Host; readonly stdout: () => string } {
  let output = "";
  const relay: Host["terminal"]["relay"] = async (pipe, stream, onOutput) => {
    const text = await host.files.readPipe(pipe);
    if (stream === "stdout") output += text;
    onOutput();
  };
  return { host: { ...host, terminal: { ...host.terminal, relay } }, stdout: () => output };
}
