/** Whether machines can run here, and what binds them. */

import { filtersCalls, nspawnVersion } from "../linux/nspawn.ts";
import { messageOf } from "../failure.ts";
import { broken, type Check, ok, weak } from "./finding.ts";

/** From this version on all is there that machines are started with. */
const LEAST_VERSION = 247;

/** systemd-nspawn, by its version. */
export const nspawn: Check = async (host) => {
  const topic = "systemd-nspawn";
  try {
    const version = await nspawnVersion(host);
    if (version >= LEAST_VERSION) return ok(topic, `version ${version}`);
    return broken(topic, `version ${version}`, `Install ${LEAST_VERSION} or newer`);
  } catch (error) {
    return broken(topic, messageOf(error), "Install the package systemd-container");
  }
};

/** Whether nspawn can filter system calls. */
export const filter: Check = async (host, { seccomp }) => {
  const topic = "system calls";
  if (!seccomp) {
    return weak(topic, "seccomp is off", "Leave it out: the kernel has then more to lose");
  }
  if (await filtersCalls(host)) return ok(topic, "filtered");
  return broken(
    topic,
    "this systemd-nspawn was built without seccomp",
    "Install another one; seccomp = false does without",
  );
};

/** Who keeps machines, and whether limits bind them. */
export const supervisor: Check = async (host) => {
  const topic = "limits";
  if (await host.files.lstat("/run/systemd/system") === null) {
    return weak(
      topic,
      "systemd is not PID 1",
      "No limit binds here: run on a host that systemd has booted",
    );
  }
  const { stdout } = await host.processes.capture(["cat", "/sys/fs/cgroup/cgroup.controllers"]);
  const there = stdout.trim().split(/\s+/);
  const missing = ["cpu", "memory", "pids", "io"].filter((name) => !there.includes(name));
  if (missing.length === 0) return ok(topic, "cgroup v2 with cpu, memory, pids and io");
  return weak(
    topic,
    `no cgroup v2 controller for ${missing.join(", ")}`,
    "Boot with systemd.unified_cgroup_hierarchy=1; in a container, delegate them",
  );
};

/** What maintains the host. */
export const timers: Check = async (host) => {
  const topic = "timers";
  const names = ["gc", "maintenance"].map((job) => `nspawn-runner-${job}.timer`);
  const states = await Promise.all(names.map(async (name) => {
    const { stdout } = await host.processes.capture(["systemctl", "is-active", name]).catch(() =>
      NONE
    );
    return stdout.trim() === "active";
  }));
  if (states.every(Boolean)) return ok(topic, "gc every hour, chroot-maintenance every night");
  const missing = names.filter((_, index) => !states[index]);
  return weak(topic, `not active: ${missing.join(", ")}`, "install.sh --timers");
};

const NONE = { stdout: "" };
