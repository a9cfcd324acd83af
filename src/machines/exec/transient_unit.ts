/** Runs a stage as a transient unit of the machine's own systemd. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { MINIMAL_ENVIRONMENT, OPEN_FILES } from "../../linux/nsenter.ts";
import { recordOf } from "../record/paths.ts";
import {
  type Exec,
  type RunningMachine,
  stageEnding,
  type StageRun,
  STOP_SECONDS,
  succeeded,
  waitForClient,
} from "./exec.ts";
import { enterArgv } from "./nsenter.ts";
import { scriptOwnerIds } from "./script_owner.ts";
import { withWatchdog } from "./watchdog.ts";

/** Runs stages of booted machines. Stopping the unit stops everything that the stage started. */
export const transientUnit: Exec = {
  async run(host, running, stage, cancel) {
    const name = `nspawn-runner-${stage.nonce}.service`;
    // The client gets its own session: a signal that cancels the stage is sent to our whole process group, but
    // the client must go on waiting until the unit is stopped.
    const client = host.processes.start(systemdRunArgv(running, name, stage), {
      env: MINIMAL_ENVIRONMENT,
      detached: true,
      relay: host.terminal.is("stdout") || host.terminal.is("stderr"),
    });
    const { code } = await waitForClient(host, client, cancel, () => stopUnit(host, running, name));
    // A shutdown ends the stage by a signal before the machine itself is gone.
    const ending = await stageEnding(
      host,
      running,
      stage,
      cancel.aborted,
      async (ending) => (!succeeded(ending) || code !== 0) && await isShuttingDown(host, running),
    );
    if (ending !== undefined) return ending;
    throw hostFailure(
      `Cannot run the script in machine ${running.lease.machine}: ` +
        `systemd-run ended with ${code} before the script began`,
    );
  },
};

function systemdRunArgv(running: RunningMachine, name: string, stage: StageRun): Argv {
  return clientArgv(running, "systemd-run", [
    "--quiet",
    "--pipe",
    "--wait",
    "--collect",
    `--unit=${name}`,
    // systemd.exec(5): by default SIGPIPE is ignored, and `yes | head -1` would not end as elsewhere.
    "--property=IgnoreSIGPIPE=no",
    // Where the kernel kills a child of the script for lack of memory, the script itself goes on.
    "--property=OOMPolicy=continue",
    // As in a plain machine: a machine's systemd has other limits for itself.
    `--property=LimitNOFILE=${OPEN_FILES.soft}:${OPEN_FILES.hard}`,
    "--property=LimitCORE=1",
    `--property=TimeoutStopSec=${STOP_SECONDS}s`,
    "--",
    ...stage.argv,
  ]);
}

/** A client of the machine's systemd: through machined, or by entering a machine that machined does not know. */
function clientArgv(running: RunningMachine, program: string, words: readonly string[]): Argv {
  const { lease, leader } = running;
  const [owner] = scriptOwnerIds(lease);
  if (lease.supervisor === "systemd") {
    const argv = [program, `--machine=${lease.machine}`, ...words] as const;
    return withWatchdog(recordOf(lease.machine), owner, argv);
  }
  return withWatchdog(`/proc/${leader.pid}`, owner, enterArgv(running, [program, ...words]));
}

async function stopUnit(host: Host, running: RunningMachine, name: string): Promise<void> {
  await host.processes.capture(clientArgv(running, "systemctl", ["stop", name]), {
    env: MINIMAL_ENVIRONMENT,
  });
}

/** Returns a command line whose output has a bound: a job can replace what answers, and this process collects it. */
export function withShortOutput(argv: Argv): Argv {
  return ["sh", "-c", SHORT_OUTPUT_SCRIPT, "sh", ...argv];
}

/** Arguments: the command. */
export const SHORT_OUTPUT_SCRIPT = '"$@" 2>/dev/null | head -c 4096';

/** Also true where the machine's systemd does not answer any more. */
async function isShuttingDown(host: Host, running: RunningMachine): Promise<boolean> {
  const argv = withShortOutput(clientArgv(running, "systemctl", ["is-system-running"]));
  const { stdout } = await host.processes.capture(argv, { env: MINIMAL_ENVIRONMENT });
  return !/^(initializing|starting|running|degraded|maintenance)$/.test(stdout.trim());
}
