import { join } from "@std/path/posix";
import type { Argv, Host } from "../../host/host.ts";
import { cgroupPaths, endCgroup, inCgroup } from "../../linux/cgroups.ts";
import { PLAIN_ENVIRONMENT } from "../../linux/nsenter.ts";
import { enterArgv } from "../exec/nsenter.ts";
import { BOOT_ID, readKernel } from "../../linux/proc.ts";
import { inspectInitProcess, type InitProcess } from "../nspawn/init_process.ts";
import { whileConnecting } from "../network/veth.ts";
import type { Lease } from "../record/lease.ts";
import { nspawnArgv, nspawnEnvironment } from "../nspawn/command_line.ts";
import { identify, parseStat } from "../../linux/proc.ts";
import { until } from "../../linux/wait.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import { isPlainMachineReady } from "./plain.ts";
import { cannotStart, STOP_TIMEOUT, type Supervisor } from "./supervisor.ts";

/**
 * nspawn as a process of its own, where PID 1 is no systemd. The cgroup that it gets keeps two
 * machines apart, since each believes that it owns its part of the hierarchy; it carries no limits.
 */
export const standalone: Supervisor = {
  kind: "standalone",
  enforcesLimits: false,
  cgroupsFor: (facts, name) => cgroupPaths(facts, `nspawn-runner-${name}`),
  async start(host, spec, lease, signal) {
    const argv = nspawnArgv(spec, ["--register=no", "--keep-unit"]);
    const nspawn = launch(host, argv, spec, lease.cgroups[0]!);
    const find = memoized(() => findInitProcess(host, nspawn));
    return await whileConnecting(host, spec.link, find, async () => {
      const leader = await untilReady(host, spec, lease, { nspawn, find }, signal);
      if (leader !== null) return leader;
      const hasEnded = await identify(host, nspawn) === null;
      if (hasEnded) await waitForLog(host, lease.cgroups[0]!);
      const said = await host.files.read(spec.paths.log) ?? "";
      throw cannotStart(spec, said, !hasEnded && !signal.aborted);
    });
  },
  isAlive,
  ranOutOfMemory: () => Promise.resolve(false), // without limits there is none to meet
  async stop(host, lease) {
    // nspawn follows once its machine is gone, and tidies up before.
    if (await isAlive(host, lease)) {
      host.processes.signal(lease.leader!.pid, "SIGKILL");
      await until(host, STOP_TIMEOUT, async () => !await isAlive(host, lease));
    }
    await endCgroup(host, lease.cgroups, NSPAWN_GRACE);
  },
};

/** After a reboot its pid and its start time may be another's. */
async function isAlive(host: Host, { boot, leader }: Lease): Promise<boolean> {
  if (leader === null) return false;
  const text = await readKernel(host, BOOT_ID, `/proc/${leader.pid}/stat`);
  const [now, stat = ""] = text.split("\n");
  return now === boot && parseStat(stat)?.start === leader.start;
}

/** What nspawn gets to tidy up, in seconds. */
const NSPAWN_GRACE = 5;

/**
 * Words: the log, the cgroup of who writes it, nspawn. A job may find what nspawn says its words to (as stdout of
 * a plain machine's PID 1, for one), so that it is a pipe: the log takes the first MiB or two (a shell's block has
 * 512 or 1024 bytes), nobody the rest. The pipe's name is gone before anything runs.
 */
const RUN_LOGGED = `log=$1 cgroup=$2
shift 2
[ ! -e "$log" ] || rm "$log"
mkfifo -m 0600 "$log"
exec 3<>"$log" 4<"$log" 5>"$log" 3<&-
rm "$log"
write() {
  # By exec: a shell keeps what it changes for one command alone, and would write to itself without end.
  exec <&4 4<&- 5>&-
  trap "" XFSZ
  (ulimit -f 2048 && exec cat >"$log") || :
  exec cat >/dev/null
}
mkdir -p "$cgroup"
(
  echo 0 >"$cgroup/cgroup.procs" # before nspawn begins: who looks there waits for the log's end
  write &
)
exec "$@" >&5 2>&1 4<&- 5>&-
`;

/** Starts nspawn in a cgroup of its own, its output in a log, independent of us. */
function launch(host: Host, argv: Argv, spec: MachineSpec, cgroup: string): number {
  const logged = ["sh", "-euc", RUN_LOGGED, "sh", spec.paths.log, logCgroup(cgroup)];
  const child = host.processes.start(inCgroup(cgroup, [...logged, ...argv]), {
    env: { ...PLAIN_ENVIRONMENT, ...nspawnEnvironment(spec.settings.seccomp) },
    stdout: "null",
    stderr: "null",
    detached: true,
  });
  child.unref();
  return child.pid;
}

/** Apart: what nspawn makes controllers for may hold no processes. */
function logCgroup(cgroup: string): string {
  return join(cgroup, "log");
}

async function untilReady(
  host: Host,
  spec: MachineSpec,
  lease: Lease,
  { nspawn, find }: { nspawn: number; find: () => Promise<number | null> },
  signal: AbortSignal,
): Promise<InitProcess | null> {
  let leader: number | null = null;
  let ready = false;
  await until(host, spec.settings.prepare_timeout * 1000, async () => {
    if (signal.aborted || await identify(host, nspawn) === null) return true;
    leader = await find();
    ready = leader !== null && await acceptsCommands(host, spec, lease, leader, signal);
    return ready;
  });
  return ready && leader !== null ? await inspectInitProcess(host, leader) : null;
}

/** Asks until there is an answer, and once at a time. */
function memoized<T>(ask: () => Promise<T | null>): () => Promise<T | null> {
  let asked: Promise<T | null> | null = null;
  return async () => {
    asked ??= ask();
    const answer = await asked;
    if (answer === null) asked = null;
    return answer;
  };
}

/** The child of nspawn that is PID 1 in a namespace of its own; before it others come and go. */
async function findInitProcess(host: Host, nspawn: number): Promise<number | null> {
  const children = await readKernel(host, `/proc/${nspawn}/task/${nspawn}/children`);
  for (const child of children.split(" ").filter((word) => word.trim() !== "")) {
    const status = await readKernel(host, `/proc/${child}/status`);
    if (/^NSpid:.*\t1$/m.test(status)) return Number(child);
  }
  return null;
}

async function acceptsCommands(
  host: Host,
  spec: MachineSpec,
  lease: Lease,
  leader: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (!spec.booted) return await isPlainMachineReady(host, spec);
  const described = await inspectInitProcess(host, leader);
  // It comes last of what nspawn takes away: what enters before would have all of that.
  if (described === null || spec.ids === null && !described.noNewPrivileges) return false;
  // Fails at once until the machine has a bus, then waits until it has booted.
  const state = await host.processes.capture(
    // Its cgroup is the machine's, so that it ends with the machine when we are killed.
    inCgroup(join(lease.cgroups[0]!, "prepare"), [
      "timeout",
      `${spec.settings.prepare_timeout}`,
      ...enterArgv({ lease, leader: described }, ["systemctl", "is-system-running", "--wait"]),
    ]),
    { env: PLAIN_ENVIRONMENT, signal },
  );
  return /^(running|degraded)$/m.test(state.stdout);
}

/** Who writes the log ends after nspawn. */
async function waitForLog(host: Host, cgroup: string): Promise<void> {
  const writers = join(logCgroup(cgroup), "cgroup.procs");
  await until(host, LOG_TIMEOUT, async () => (await readKernel(host, writers)).trim() === "");
}

/** In milliseconds. */
const LOG_TIMEOUT = 10_000;
