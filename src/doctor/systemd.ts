/** Checks of systemd-nspawn, of limits, and of the timers. */

import { hasSeccomp, nspawnVersion } from "../linux/nspawn.ts";
import { readKernel } from "../linux/proc.ts";
import { isSystemdHost } from "../linux/systemd.ts";
import { INOTIFY_FILE, INOTIFY_INSTANCES } from "../machines/supervisor/host_tables.ts";
import { messageOf } from "../failure.ts";
import { broken, type Check, ok, weak } from "./finding.ts";

/** The oldest systemd-nspawn that has all options with which machines are started. */
const MIN_VERSION = 247;

/** Whether systemd-nspawn is installed and recent enough. */
export const nspawn: Check = async (host) => {
  const topic = "systemd-nspawn";
  try {
    const version = await nspawnVersion(host);
    if (version >= MIN_VERSION) return ok(topic, `version ${version}`);
    return broken(topic, `version ${version}`, `Install ${MIN_VERSION} or newer`);
  } catch (error) {
    return broken(topic, messageOf(error), "Install the package systemd-container");
  }
};

/** Whether systemd-nspawn filters system calls, and the kernel can: proc_pid_status(5) has a line then. */
export const seccomp: Check = async (host, config) => {
  const topic = "system calls";
  if (!config.seccomp) {
    return weak(
      topic,
      "seccomp is off",
      "Remove seccomp from the configuration: the filter protects the host's kernel",
    );
  }
  if (!/^Seccomp:/m.test(await readKernel(host, "/proc/self/status"))) {
    return broken(
      topic,
      "this kernel was built without seccomp",
      "Use a kernel with CONFIG_SECCOMP_FILTER, or set seccomp = false",
    );
  }
  if (await hasSeccomp(host)) return ok(topic, "filtered");
  return broken(
    topic,
    "this systemd-nspawn was built without seccomp",
    "Install one with seccomp, or set seccomp = false",
  );
};

/** Whether the limits of machines are enforced. */
export const limits: Check = async (host) => {
  const topic = "limits";
  if (!await isSystemdHost(host)) {
    return weak(
      topic,
      "systemd is not PID 1",
      "Use a host that systemd has booted: limits and the policy of devices do not bind on this one",
    );
  }
  const { stdout } = await host.processes.capture(["cat", "/sys/fs/cgroup/cgroup.controllers"]);
  const available = stdout.trim().split(/\s+/);
  const missing = ["cpu", "memory", "pids", "io"].filter((name) => !available.includes(name));
  if (missing.length === 0) return ok(topic, "cgroup v2 with cpu, memory, pids and io");
  return weak(
    topic,
    `no cgroup v2 controller for ${missing.join(", ")}`,
    "Boot with systemd.unified_cgroup_hierarchy=1; in a container, delegate the controllers to it",
  );
};

/** How many inotify instances there can be: booted machines and the host's own services share them. */
export const inotify: Check = async (host) => {
  const topic = "inotify";
  const { stdout, code } = await host.processes.capture(["sh", "-c", INOTIFY_SCRIPT]);
  const found = `${stdout.trim()} instances`;
  if (Number(stdout) >= INOTIFY_INSTANCES) return ok(topic, found);
  if (code === 0) return ok(topic, `${found}; the next machine raises that`);
  return weak(
    topic,
    `${found} for the host and all machines: one job can take all of them`,
    `sysctl fs.inotify.max_user_instances=${INOTIFY_INSTANCES}; in a container, on its host`,
  );
};

/** Exits with 0 where the number can be changed. */
export const INOTIFY_SCRIPT = `cat ${INOTIFY_FILE}; [ -w ${INOTIFY_FILE} ]`;

/** Whether GitLab Runner finishes its jobs when its service is stopped, as by an upgrade of its package. */
export const runnerService: Check = async (host) => {
  const topic = "gitlab-runner service";
  const argv = ["--property=LoadState", "--property=KillSignal", "gitlab-runner.service"];
  const { stdout } = await host.processes.capture(["systemctl", "show", ...argv])
    .catch(() => ({ stdout: "" })); // no systemctl
  if (!/^LoadState=loaded$/m.test(stdout)) return [];
  const SIGQUIT = 3;
  if (new RegExp(`^KillSignal=${SIGQUIT}$`, "m").test(stdout)) {
    return ok(topic, "finishes its jobs when it is stopped");
  }
  return weak(
    topic,
    "aborts its jobs when it is stopped or restarted",
    "systemctl edit gitlab-runner, and below [Service] write KillSignal=SIGQUIT and TimeoutStopSec=2h",
  );
};

/** Whether the timers for gc and chroot-maintenance are active. */
export const timers: Check = async (host) => {
  const topic = "timers";
  const names = ["gc", "maintenance"].map((job) => `nspawn-runner-${job}.timer`);
  const states = await Promise.all(names.map(async (name) => {
    const { stdout } = await host.processes.capture(["systemctl", "is-active", name])
      .catch(() => ({ stdout: "" })); // no systemctl
    return stdout.trim() === "active";
  }));
  if (states.every(Boolean)) return ok(topic, "gc every hour, chroot-maintenance every night");
  const missing = names.filter((_, index) => !states[index]);
  return weak(
    topic,
    `not active: ${missing.join(", ")}`,
    `systemctl enable --now ${missing.join(" ")}; install.sh --timers and packages install them`,
  );
};
