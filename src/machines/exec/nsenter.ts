import { join } from "@std/path/posix";
import type { Ending } from "../../ending.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { endCgroup, inOwnCgroup } from "../../linux/cgroups.ts";
import { nsenterArgv, PLAIN_ENVIRONMENT } from "../../linux/nsenter.ts";
import type { Leader } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import {
  CANCELLED,
  waitForClient,
  type Exec,
  isMachineLost,
  reportedEnding,
  type RunningMachine,
  type StageRun,
  STOP_SECONDS,
} from "./exec.ts";
import { withOwnStreams } from "./streams.ts";
import { withToolsAsRoot } from "./tools.ts";

/**
 * Straight into the namespaces of a machine without an init of its own. Each stage gets a cgroup
 * below the machine's, so that the machine's limits bind it and nothing that it started stays.
 */
export const nsenter: Exec = {
  async run(host, running, stage, cancel) {
    const cgroup = join(running.leader.cgroup, `stage-${stage.nonce}`);
    const argv = withOwnStreams(
      running.lease,
      inOwnCgroup(cgroup, STOP_SECONDS, enterArgv(running, stage.argv)),
    );
    const client = host.processes.start(argv, {
      env: PLAIN_ENVIRONMENT,
      detached: true,
    });
    await waitForClient(host, client, cancel, () => endCgroup(host, [cgroup], STOP_SECONDS));
    return await stageEnding(host, running, stage, cancel.aborted);
  },
};

/**
 * A command in a machine. nsenter enters with every capability: the machine's own bounding set is put
 * back before anything runs there. By our own setpriv, since an image may have none, and a job may have
 * changed it. But nsenter itself needs to administrate: where the machine may not, ours runs inside, with
 * nothing but our tools for its root, and goes to the machine's root when it has dropped what it must.
 *
 * @param machine The machine, with its PID 1.
 * @param argv What runs there.
 * @returns The words.
 */
export function enterArgv({ lease, leader }: Entered, argv: readonly string[]): Argv {
  const reduce = [
    "setpriv",
    ...boundingSet(leader),
    "--inh-caps=-all",
    ...(leader.noNewPrivileges ? ["--no-new-privs"] : []),
    "--",
  ] as const;
  if (!leader.dropped.includes(CAP_SYS_ADMIN)) {
    return [...reduce, ...nsenterArgv(leader.pid), ...argv];
  }
  // Opened before it enters: here its root is among the tools, and the machine's where it stands.
  const enter = nsenterArgv(leader.pid, ["--root=.", `--wd=/proc/${leader.pid}/root`]);
  const { tools } = machinePaths(lease.store, lease.machine);
  return withToolsAsRoot(tools, [...enter, ...reduce, "chroot", ".", ...argv]);
}

/** What is to be known of a machine that a command enters. */
type Entered = Pick<RunningMachine, "lease" | "leader">;

/** capabilities(7), by its number in linux/capability.h. */
const CAP_SYS_ADMIN = 21;

/** By number: the machine's setpriv may be older than the kernel's newest names. */
function boundingSet({ dropped }: Leader): string[] {
  if (dropped.length === 0) return [];
  return [`--bounding-set=${dropped.map((number) => `-cap_${number}`).join(",")}`];
}

async function stageEnding(
  host: Host,
  running: RunningMachine,
  stage: StageRun,
  cancelled: boolean,
): Promise<Ending> {
  const ending = await reportedEnding(stage);
  if (await isMachineLost(host, running, ending)) {
    return { kind: "lost", reason: "the machine ended while a stage ran in it" };
  }
  if (ending !== undefined) return ending;
  if (cancelled) return CANCELLED;
  throw hostFailure(
    `Cannot run the stage in machine ${running.lease.machine}: entering it failed`,
    "A plain machine needs sh and env in its chroot",
  );
}
