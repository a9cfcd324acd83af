/** Enters the namespaces of a machine by nsenter(1). */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Argv } from "../../host/host.ts";
import { endCgroup, inOwnCgroup } from "../../linux/cgroups.ts";
import { MINIMAL_ENVIRONMENT, nsenterArgv, OPEN_FILES } from "../../linux/nsenter.ts";
import type { Leader } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import {
  type Exec,
  type RunningMachine,
  stageEnding,
  STOP_SECONDS,
  waitForClient,
} from "./exec.ts";
import { withOwnStreams } from "./streams.ts";
import { withToolsAsRoot } from "./tools.ts";

/**
 * Runs stages of plain machines. Each stage gets a cgroup below the machine's: the machine's limits apply to it,
 * and everything that it started ends with it.
 */
export const nsenter: Exec = {
  async run(host, running, stage, cancel) {
    const cgroup = join(running.leader.cgroup, `stage-${stage.nonce}`);
    const argv = withOwnStreams(
      running.lease,
      inOwnCgroup(cgroup, STOP_SECONDS, withOwnLimits(enterArgv(running, stage.argv))),
    );
    const client = host.processes.start(argv, {
      env: MINIMAL_ENVIRONMENT,
      detached: true,
      relay: host.terminal.is("stdout") || host.terminal.is("stderr"),
    });
    await waitForClient(host, client, cancel, () => endCgroup(host, [cgroup], STOP_SECONDS));
    const ending = await stageEnding(host, running, stage, cancel.aborted);
    if (ending !== undefined) return ending;
    throw hostFailure(
      `Cannot run the script in machine ${running.lease.machine}: nsenter failed before the script began`,
      "A plain machine needs sh and env: install them in the chroot or the image",
    );
  },
};

/**
 * Returns a command line that runs another one with an empty standard input, and with the limits that nspawn gives a
 * machine: else they would be those of the caller.
 */
function withOwnLimits(argv: Argv): Argv {
  return ["sh", "-c", RUN_WITH_LIMITS_SCRIPT, "sh", ...argv];
}

/**
 * Arguments: the command. A host that allows no higher limit keeps its own. The input is a pipe, since the host's
 * /dev/null could be changed by root of a machine without a user namespace.
 */
export const RUN_WITH_LIMITS_SCRIPT = `
# shellcheck disable=SC3045 # every shell of Linux has -S and -H
{
  ulimit -S -n ${OPEN_FILES.soft}
  ulimit -H -n ${OPEN_FILES.hard}
} 2>/dev/null
# shellcheck disable=SC3045
[ "$(ulimit -H -c)" = 0 ] || set -- prlimit --core=1 -- "$@"
exec "$@" <<END
END
`;

/**
 * Returns a command line that runs a command in a machine with no more capabilities than the machine's PID 1 has.
 *
 * The host's setpriv drops the capabilities, since an image may have none and a job may have replaced it. Where
 * nsenter needs a capability that has to be dropped, setpriv runs after it, among the tools copied from the host.
 */
export function enterArgv(
  { lease, leader }: Pick<RunningMachine, "lease" | "leader">,
  argv: readonly string[],
): Argv {
  const setpriv = [
    "setpriv",
    ...boundingSet(leader),
    "--inh-caps=-all",
    ...(leader.noNewPrivileges ? ["--no-new-privs"] : []),
    "--",
  ] as const;
  if (!leader.dropped.includes(CAP_SYS_ADMIN)) {
    return [...setpriv, ...nsenterArgv(leader.pid), ...argv];
  }
  // nsenter opens both folders before it changes namespaces: --root is the tools', --wd the machine's root.
  const enter = nsenterArgv(leader.pid, ["--root=.", `--wd=/proc/${leader.pid}/root`]);
  const { tools } = machinePaths(lease.store, lease.machine);
  return withToolsAsRoot(tools, [...enter, ...setpriv, "chroot", ".", ...argv]);
}

/** capabilities(7), by its number in linux/capability.h. */
const CAP_SYS_ADMIN = 21;

/** By number: the host's setpriv may not know the kernel's newest names. */
function boundingSet({ dropped }: Leader): string[] {
  if (dropped.length === 0) return [];
  return [`--bounding-set=${dropped.map((number) => `-cap_${number}`).join(",")}`];
}
