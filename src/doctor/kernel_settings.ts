/** Checks the settings of the kernel that decide what programs of jobs reach on the host: sysctl(8). */

import { readKernel } from "../linux/proc.ts";
import { type Check, type Finding, ok, weak } from "./finding.ts";

/** A setting of the kernel that no namespace has for itself. */
interface KernelSetting {
  readonly topic: string;
  /** As sysctl(8) names it. */
  readonly name: string;
  readonly isWeak: (value: string) => boolean;
  /** What is possible in a machine where the value is weak. */
  readonly consequence: string;
  /** A value that is not weak. */
  readonly better: string;
}

/**
 * Shells that an administrator opens and commands that build a chroot enter machines without nspawn's filter of system
 * calls, and so do all scripts without `seccomp`: the kernel's settings alone hold for them.
 */
const SETTINGS: readonly KernelSetting[] = [
  {
    topic: "core dumps",
    name: "kernel.core_pattern",
    isWeak: (value) => /^[|@]/.test(value), // a program, or a socket: core(5)
    consequence: "a job that sets its limit of core dumps to 0 has the host store them",
    better: "core",
  },
  {
    topic: "bpf",
    name: "kernel.unprivileged_bpf_disabled",
    isWeak: (value) => value === "0",
    consequence: "shells of administrators and builds may load bpf programs",
    better: "2",
  },
  {
    topic: "perf",
    name: "kernel.perf_event_paranoid",
    isWeak: (value) => Number(value) < 2,
    consequence: "shells of administrators and builds may measure the host's kernel",
    better: "2",
  },
  {
    topic: "kernel log",
    name: "kernel.dmesg_restrict",
    isWeak: (value) => value === "0",
    consequence: "shells of administrators and builds may read the host's",
    better: "1",
  },
];

/** Whether the kernel's settings keep programs of jobs from the host. */
export const kernelSettings: Check = async (host) => {
  const values = await Promise.all(
    SETTINGS.map(({ name }) => readKernel(host, `/proc/sys/${name.replaceAll(".", "/")}`)),
  );
  return SETTINGS.flatMap((setting, index) => findingOf(setting, values[index]!.trim()));
};

function findingOf(
  { topic, name, isWeak, consequence, better }: KernelSetting,
  value: string,
): Finding[] {
  if (value === "") return []; // this kernel was built without it
  const found = `${name} is ${value}`;
  if (!isWeak(value)) return [ok(topic, found)];
  const fix = `Write ${name} = ${better} to a file in /etc/sysctl.d, and run sysctl --system`;
  return [weak(topic, `${consequence}: ${found}`, fix)];
}
