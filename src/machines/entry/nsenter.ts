import { join } from "@std/path/posix";
import type { Ending } from "../../ending.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { endCgroup, inOwnCgroup } from "../cgroup.ts";
import { nsenterArgv, PLAIN_ENVIRONMENT } from "../enter.ts";
import type { Leader } from "../lease.ts";
import { machinePaths, TOOLS } from "../paths.ts";
import {
  CANCELLED,
  endOf,
  type Entry,
  isLost,
  reportedEnding,
  type Running,
  type StageRun,
  STOP_SECONDS,
} from "./entry.ts";
import { ownStreams } from "./streams.ts";
import { toolsIn } from "./tools.ts";

/**
 * Straight into the namespaces of a machine without an init of its own. Each stage gets a cgroup
 * below the machine's, so that the machine's limits bind it and nothing that it started stays.
 */
export const nsenter: Entry = {
  async exec(host, running, stage, cancel) {
    const cgroup = join(running.leader.cgroup, `stage-${stage.nonce}`);
    const argv = ownStreams(running.lease, enterArgv(running, stage, cgroup));
    const client = host.processes.start(argv, {
      env: PLAIN_ENVIRONMENT,
      detached: true,
    });
    await endOf(host, client, cancel, () => endCgroup(host, [cgroup], STOP_SECONDS));
    return await endingOf(host, running, stage, cancel.aborted);
  },
};

function enterArgv(running: Entered, stage: StageRun, cgroup: string): Argv {
  return inOwnCgroup(cgroup, STOP_SECONDS, enteringArgv(running, stage.argv));
}

/** A machine to enter. */
export type Entered = Pick<Running, "lease" | "leader">;

/**
 * A command in a machine. nsenter enters with every capability: the machine's own bounding set is put
 * back before anything runs there. By our own setpriv, since an image may have none, and a job may have
 * changed it. But nsenter itself needs to administrate: where the machine may not, ours runs inside, with
 * nothing but our tools for its root, and goes to the machine's root when it has dropped what it must.
 *
 * @param machine Which.
 * @param argv What runs there.
 * @returns The words.
 */
export function enteringArgv({ lease, leader }: Entered, argv: readonly string[]): Argv {
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
  const root = `/proc/${leader.pid}/root`;
  // Its root is a mount of the machine, so that no `..` leads to the host; the machine's is where it stands.
  const enter = nsenterArgv(leader.pid, ["--root=.", `--wd=${root}`]);
  const words = [`${root}${TOOLS}`, toolsIn(machinePaths(lease.store, lease.machine).folder)];
  return ["sh", "-c", FROM_TOOLS, "sh", ...words, ...enter, ...reduce, "chroot", ".", ...argv];
}

/**
 * Words: our tools as the machine has them, as the host has them, what is run from there. A job that traces the
 * machine's PID 1 can have it take another root, with tools of the job's.
 */
const FROM_TOOLS = `cd -P "$1" && [ . -ef "$2" ] || exit
shift 2
exec "$@"`;

/** capabilities(7), by its number in linux/capability.h. */
const CAP_SYS_ADMIN = 21;

/** By number: the machine's setpriv may be older than the kernel's newest names. */
function boundingSet({ dropped }: Leader): string[] {
  if (dropped.length === 0) return [];
  return [`--bounding-set=${dropped.map((number) => `-cap_${number}`).join(",")}`];
}

async function endingOf(
  host: Host,
  running: Running,
  stage: StageRun,
  cancelled: boolean,
): Promise<Ending> {
  const ending = await reportedEnding(stage);
  if (await isLost(host, running, ending)) {
    return { kind: "lost", reason: "the machine ended while a stage ran in it" };
  }
  if (ending !== undefined) return ending;
  if (cancelled) return CANCELLED;
  throw hostFailure(
    `Cannot run the stage in machine ${running.lease.machine}: entering it failed`,
    "A plain machine needs sh and env in its chroot",
  );
}
