import { join } from "@std/path/posix";
import type { Ending } from "../../ending.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { nsenterArgv, PLAIN_ENVIRONMENT } from "../enter.ts";
import { cgroupOf, isAlive, until } from "../process.ts";
import { mounts } from "../storage/mounts.ts";
import { isEmpty, removeCgroup, signalCgroup } from "../supervisor/cgroup.ts";
import { type Entry, reportedEnding, type Running, type StageRun, STOP_SECONDS } from "./entry.ts";

/**
 * Straight into the namespaces of a machine without an init of its own. Each stage gets a cgroup
 * below the machine's, so that the machine's limits bind it and nothing that it started stays.
 */
export const nsenter: Entry = {
  async exec(host, running, stage, cancel) {
    const cgroup = await stageCgroup(host, running, stage);
    await host.files.makeDirectory(cgroup, 0o755);
    const client = host.processes.start(await enterArgv(host, running, stage, cgroup), {
      env: PLAIN_ENVIRONMENT,
      detached: true,
    });
    const stop = () => void stopCgroup(host, cgroup);
    cancel.addEventListener("abort", stop);
    if (cancel.aborted) stop();
    try {
      await client.ended;
      return await endingOf(host, running, stage);
    } finally {
      cancel.removeEventListener("abort", stop);
      await endCgroup(host, cgroup);
    }
  },
};

async function stageCgroup(host: Host, running: Running, stage: StageRun): Promise<string> {
  const root = (await mounts(host)).find((mount) => mount.type === "cgroup2")?.point;
  const machine = await cgroupOf(host, running.leader.pid);
  if (root === undefined || machine === null) {
    throw hostFailure(`Cannot find the cgroup of machine ${running.lease.machine}`);
  }
  return join(root, machine, `stage-${stage.nonce}`);
}

/**
 * nsenter enters with every capability: the machine's own bounding set is put back before anything
 * of a job runs. The words are fixed, what varies comes as arguments.
 */
async function enterArgv(
  host: Host,
  running: Running,
  stage: StageRun,
  cgroup: string,
): Promise<Argv> {
  return [
    "sh",
    "-c",
    'echo $$ >"$1/cgroup.procs" && shift && exec "$@"',
    "sh",
    cgroup,
    ...nsenterArgv(running.leader),
    "setpriv",
    ...await dropOptions(host, running),
    "--",
    ...stage.argv,
  ];
}

/** setpriv's options for the capabilities that the machine's PID 1 may ever have. */
async function dropOptions(host: Host, running: Running): Promise<string[]> {
  const status = await host.files.read(`/proc/${running.leader.pid}/status`) ?? "";
  const bounding = BigInt(`0x${status.match(/^CapBnd:\s*([0-9a-f]+)$/m)?.[1] ?? "0"}`);
  const last = Number(await host.files.read("/proc/sys/kernel/cap_last_cap") ?? "40");
  const dropped: string[] = [];
  for (let capability = 0; capability <= last; capability++) {
    // By number: the machine's setpriv may be older than this kernel's newest names.
    if ((bounding >> BigInt(capability) & 1n) === 0n) dropped.push(`-cap_${capability}`);
  }
  const noNewPrivileges = /^NoNewPrivs:\s*1$/m.test(status) ? ["--no-new-privs"] : [];
  return dropped.length === 0
    ? noNewPrivileges
    : [`--bounding-set=${dropped.join(",")}`, "--inh-caps=-all", ...noNewPrivileges];
}

async function endingOf(host: Host, running: Running, stage: StageRun): Promise<Ending> {
  const ending = await reportedEnding(stage);
  if (!await isAlive(host, running.leader)) {
    return { kind: "lost", reason: "the machine ended while a stage ran in it" };
  }
  if (ending !== undefined) return ending;
  throw hostFailure(
    `Cannot run the stage in machine ${running.lease.machine}: entering it failed`,
    "A plain machine needs sh, env and setpriv (util-linux) in its chroot",
  );
}

async function stopCgroup(host: Host, cgroup: string): Promise<void> {
  await signalCgroup(host, cgroup, "SIGTERM");
  await until(host, STOP_SECONDS * 1000, () => isEmpty(host, cgroup));
  await removeCgroup(host, cgroup);
}

/** What the script left running ends with its stage, politely first. */
async function endCgroup(host: Host, cgroup: string): Promise<void> {
  try {
    await host.files.remove(cgroup);
  } catch {
    await stopCgroup(host, cgroup);
  }
}
