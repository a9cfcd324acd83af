import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { quoteAll } from "../../host/quote.ts";
import { nsenterArgv, PLAIN_ENVIRONMENT } from "../enter.ts";
import { nspawnArgv, nspawnEnvironment } from "../nspawn.ts";
import { cgroupOf, childrenOf, identify, isAlive, type ProcessId, until } from "../process.ts";
import type { MachineSpec } from "../spec.ts";
import { mounts } from "../storage/mounts.ts";
import { isEmpty, removeCgroup } from "./cgroup.ts";
import { LAST_LINES, type Supervisor } from "./supervisor.ts";
import { runsPayload } from "./systemd.ts";

/** Longest wait for a killed machine to be gone, in milliseconds. */
const STOP_PATIENCE = 10_000;

/**
 * nspawn as a process of its own, where PID 1 is no systemd. The cgroup that it gets keeps two
 * machines apart, since each believes that it owns its part of the hierarchy; it carries no limits.
 */
export const standalone: Supervisor = {
  kind: "standalone",
  limits: false,
  async cgroup(host, name) {
    const root = (await mounts(host)).find((mount) => mount.type === "cgroup2")?.point;
    const own = await cgroupOf(host, "self");
    if (root === undefined || own === null) {
      throw hostFailure(
        "Cannot start machines here: no cgroup2 hierarchy is mounted",
        "Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
      );
    }
    return join(root, own, `nspawn-runner-${name}`);
  },
  async start(host, spec, lease, signal) {
    const cgroup = lease.cgroup!;
    await host.files.makeDirectory(cgroup, 0o755);
    const argv = nspawnArgv(spec, ["--register=no", "--keep-unit"]);
    const nspawn = launch(host, argv, spec, cgroup);
    const leader = await untilReady(host, spec, nspawn, signal);
    if (leader === null) throw await startFailure(host, spec, argv);
    return leader;
  },
  async stop(host, lease) {
    const cgroup = lease.cgroup!;
    // nspawn is the leader's parent: it follows once its machine is gone, and tidies up before.
    if (lease.leader !== null && await isAlive(host, lease.leader)) {
      host.processes.signal(lease.leader.pid, "SIGKILL");
      await until(host, STOP_PATIENCE, () => isEmpty(host, cgroup));
    }
    await removeCgroup(host, cgroup);
  },
};

/** Starts nspawn in its cgroup, its output in a log, independent of us: words only, no data in the script. */
function launch(host: Host, argv: Argv, spec: MachineSpec, cgroup: string): number {
  const child = host.processes.start(
    [
      "sh",
      "-c",
      'echo $$ >"$1/cgroup.procs" && log=$2 && shift 2 && exec "$@" >"$log" 2>&1',
      "sh",
      cgroup,
      spec.paths.log,
      ...argv,
    ],
    {
      env: { ...PLAIN_ENVIRONMENT, ...nspawnEnvironment(spec.settings.seccomp) },
      stdout: "null",
      stderr: "null",
      detached: true,
    },
  );
  child.unref();
  return child.pid;
}

async function untilReady(
  host: Host,
  spec: MachineSpec,
  nspawn: number,
  interrupt: AbortSignal,
): Promise<ProcessId | null> {
  const patience = spec.settings.prepare_timeout * 1000;
  const signal = AbortSignal.any([interrupt, AbortSignal.timeout(patience)]);
  let leader: ProcessId | null = null;
  let ready = false;
  await until(host, patience, async () => {
    if (signal.aborted || await identify(host, nspawn) === null) return true;
    leader ??= await findLeader(host, nspawn);
    ready = leader !== null && await takesCommands(host, spec, leader, signal);
    return ready;
  });
  return ready ? leader : null;
}

/** The child of nspawn that is PID 1 in a namespace of its own; before it others come and go. */
async function findLeader(host: Host, nspawn: number): Promise<ProcessId | null> {
  for (const child of await childrenOf(host, nspawn)) {
    const status = await host.files.read(`/proc/${child}/status`).catch(() => null);
    if (status?.match(/^NSpid:.*\t1$/m)) return await identify(host, child);
  }
  return null;
}

async function takesCommands(
  host: Host,
  spec: MachineSpec,
  leader: ProcessId,
  signal: AbortSignal,
): Promise<boolean> {
  if (!spec.booted) return await runsPayload(host, leader.pid);
  // A look at the bus's socket costs nothing; asking systemd itself costs a process.
  if (await host.files.lstat(`/proc/${leader.pid}/root/run/dbus/system_bus_socket`) === null) {
    return false;
  }
  const state = await host.processes.capture(
    [...nsenterArgv(leader), "systemctl", "is-system-running", "--wait"],
    { env: PLAIN_ENVIRONMENT, signal },
  );
  return /^(running|degraded)$/m.test(state.stdout);
}

async function startFailure(host: Host, spec: MachineSpec, argv: Argv): Promise<Error> {
  const log = (await host.files.read(spec.paths.log) ?? "").trim();
  const said = log === "" ? [] : log.split("\n").slice(-LAST_LINES);
  return hostFailure(
    [`Cannot start machine ${spec.name}: ${quoteAll(argv)}`, ...said].join("\n"),
  );
}
