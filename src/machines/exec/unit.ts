import type { Ending } from "../../ending.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { PLAIN_ENVIRONMENT } from "../../linux/nsenter.ts";
import { recordOf } from "../record/paths.ts";
import {
  CANCELLED,
  waitForClient,
  type Exec,
  isMachineLost,
  reportedEnding,
  type RunningMachine,
  type StageRun,
  STOP_SECONDS,
  succeeded,
} from "./exec.ts";
import { enterArgv } from "./nsenter.ts";
import { scriptOwnerIds } from "./script.ts";
import { withWatchdog } from "./watchdog.ts";

/** A transient unit of the machine's own systemd: to stop it is to stop all that the stage started. */
export const transientUnit: Exec = {
  async run(host, running, stage, cancel) {
    const name = `nspawn-runner-${stage.nonce}.service`;
    // A session of its own: the signal that cancels a stage goes to our whole process group, and
    // must reach the unit through us, not end the client that waits for it.
    const client = host.processes.start(runArgv(running, name, stage), {
      env: PLAIN_ENVIRONMENT,
      detached: true,
    });
    const { code } = await waitForClient(host, client, cancel, () => stopUnit(host, running, name));
    return await stageEnding(host, running, stage, code, cancel.aborted);
  },
};

function runArgv(running: RunningMachine, name: string, stage: StageRun): Argv {
  return clientArgv(running, "systemd-run", [
    "--quiet",
    "--pipe",
    "--wait",
    "--collect",
    `--unit=${name}`,
    // Else `yes | head -1` would not end as it does everywhere: systemd.exec(5).
    "--property=IgnoreSIGPIPE=no",
    // A script whose child was killed for its memory sees that, and goes on as it likes.
    "--property=OOMPolicy=continue",
    `--property=TimeoutStopSec=${STOP_SECONDS}s`,
    "--",
    ...stage.argv,
  ]);
}

/** A client of the machine's systemd: through machined, or from inside where machined knows nothing. */
function clientArgv(running: RunningMachine, program: string, words: readonly string[]): Argv {
  const { lease, leader } = running;
  const [owner] = scriptOwnerIds(lease);
  return lease.supervisor === "systemd"
    ? withWatchdog(recordOf(lease.machine), owner, [program, `--machine=${lease.machine}`, ...words])
    : withWatchdog(`/proc/${leader.pid}`, owner, enterArgv(running, [program, ...words]));
}

async function stopUnit(host: Host, running: RunningMachine, name: string): Promise<void> {
  await host.processes.capture(clientArgv(running, "systemctl", ["stop", name]), {
    env: PLAIN_ENVIRONMENT,
  });
}

/** The client may report 0 for a stage that died: only the stage's own report counts. */
async function stageEnding(
  host: Host,
  running: RunningMachine,
  stage: StageRun,
  client: number,
  cancelled: boolean,
): Promise<Ending> {
  const ending = await reportedEnding(stage);
  if (await isMachineLost(host, running, ending)) {
    return machineLost("the machine ended while a stage ran in it");
  }
  // A shutdown ends the stage by a signal before the machine itself is gone.
  if ((!succeeded(ending) || client !== 0) && await isStopping(host, running)) {
    return machineLost("the machine shut down while a stage ran in it");
  }
  if (ending !== undefined) return ending;
  if (cancelled) return CANCELLED;
  throw hostFailure(
    `Cannot run the stage in machine ${running.lease.machine}: systemd-run ended with ${client} before it began`,
  );
}

/** A machine that shuts down says so, or does not answer any more. */
async function isStopping(host: Host, running: RunningMachine): Promise<boolean> {
  const state = await host.processes.capture(
    clientArgv(running, "systemctl", ["is-system-running"]),
    { env: PLAIN_ENVIRONMENT },
  );
  return !/^(initializing|starting|running|degraded|maintenance)$/.test(state.stdout.trim());
}

function machineLost(reason: string): Ending {
  return { kind: "lost", reason };
}
