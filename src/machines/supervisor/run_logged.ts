/** Starts nspawn as a detached process whose output goes to a log of limited size. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { inCgroup } from "../../linux/cgroups.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { readKernel } from "../../linux/proc.ts";
import { until } from "../../linux/wait.ts";
import { LIMIT_TABLES } from "./host_tables.ts";
import { nspawnArgv, nspawnEnvironment } from "../nspawn/command_line.ts";
import type { MachineSpec } from "../nspawn/spec.ts";

/**
 * Runs a command whose stdout and stderr are a pipe to a background process that writes the log.
 *
 * Arguments: the log, a path for the pipe, the cgroup of the process that writes the log, the command. A job may be able to write to nspawn's
 * output: through a pipe it can neither read nor truncate the log, which ends after 1 or 2 MiB (512 or 1024 bytes
 * per block of the shell). What follows is read and dropped. The pipe has no name once the command runs, and never that of
 * the log: who read it there would wait as long as the machine runs.
 */
export const RUN_LOGGED_SCRIPT = `log=$1 pipe=$2 cgroup=$3
shift 3
[ ! -e "$log" ] || rm "$log"
mkfifo -m 0600 "$pipe"
# shellcheck disable=SC2094 # it is a pipe
exec 3<>"$pipe" 4<"$pipe" 5>"$pipe" 3<&-
rm "$pipe"
write() {
  # By exec: redirections of a single command would leave the pipe's other end open, and it would never end.
  exec <&4 4<&- 5>&-
  trap "" XFSZ
  (ulimit -f 2048 && exec cat >"$log") || :
  exec cat >/dev/null
}
mkdir -p "$cgroup"
(
  echo 0 >"$cgroup/cgroup.procs" # before the command starts: an empty cgroup means that the log is complete
  write &
)
exec "$@" >&5 2>&1 4<&- 5>&-
`;

/** Starts nspawn in a cgroup, and returns its process id. It keeps running when this process ends. */
export function startLogged(host: Host, spec: MachineSpec, cgroup: string): number {
  const { log, stage } = spec.paths;
  const words = [log, join(stage, "log"), logCgroup(cgroup)];
  const logged = ["sh", "-euc", RUN_LOGGED_SCRIPT, "sh", ...words];
  const child = host.processes.start(
    inCgroup(cgroup, [...logged, ...nspawnArgv(spec, "none", LIMIT_TABLES)]),
    {
      env: { ...MINIMAL_ENVIRONMENT, ...nspawnEnvironment(spec.settings) },
      stdout: "null",
      stderr: "null",
      detached: true,
    },
  );
  child.unref();
  return child.pid;
}

/** Returns the log of a machine that has ended, once it is complete. */
export async function readLog(host: Host, spec: MachineSpec, cgroup: string): Promise<string> {
  const writers = join(logCgroup(cgroup), "cgroup.procs");
  const isComplete = async () => (await readKernel(host, writers)).trim() === "";
  await until(host, { timeout: LOG_TIMEOUT }, isComplete);
  return await host.files.read(spec.paths.log) ?? "";
}

/** Longest wait for the log of nspawn that has ended, in milliseconds. */
const LOG_TIMEOUT = 10_000;

/** A cgroup beside nspawn's own parts: a cgroup with controllers for its children may hold no processes. */
function logCgroup(cgroup: string): string {
  return join(cgroup, "log");
}
