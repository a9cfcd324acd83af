/** What root of a machine may do. */

import { CAPABILITIES } from "../../config/capabilities.ts";
import type { MachineSettings } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Leader } from "../record/lease.ts";
import type { MachineSpec } from "./spec.ts";

/** What a machine keeps whose root is root on the host: what a container of Docker has, but for nodes of devices and raw sockets. */
const KEPT_CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_SETFCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_AUDIT_WRITE",
];

/** What systemd cannot do without: it mounts, and raises the limits of services. */
const CAPABILITIES_OF_SYSTEMD = ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"];

/** What engines of containers ask for; keyrings are those of the machine's own users. */
const NESTING_SYSCALLS = ["add_key", "keyctl"];

/** For the networks of containers. It reaches none but those that belong to the machine's user namespace. */
const NESTING_CAPABILITIES = ["CAP_NET_ADMIN"];

/** The parts of a machine that tell what its root may do. */
export interface PrivilegeSpec extends Pick<MachineSpec, "booted" | "ids"> {
  readonly settings: Pick<MachineSettings, "seccomp" | "capabilities" | "syscalls" | "nesting">;
}

/** As it stands where nobody sets anything. */
export const DEFAULT_PRIVILEGES: PrivilegeSpec["settings"] = {
  seccomp: true,
  capabilities: undefined,
  syscalls: undefined,
  nesting: false,
};

/**
 * The options of nspawn for capabilities and system calls. A machine with user ids of its own keeps nspawn's:
 * there they end at the namespace, and sudo and ping work.
 *
 * @param machine The machine.
 * @returns The options; none where all is as nspawn has it.
 */
export function privilegeOptions(machine: PrivilegeSpec): string[] {
  const { settings, ids } = machine;
  const nesting = settings.nesting && ids !== null;
  const given = [...settings.capabilities ?? [], ...(nesting ? NESTING_CAPABILITIES : [])];
  const syscalls = [...settings.syscalls ?? [], ...(nesting ? NESTING_SYSCALLS : [])];
  return [
    ...(ids === null
      ? [`--drop-capability=${droppedCapabilities(machine).join(",")}`, "--no-new-privileges=yes"]
      : []),
    ...(given.length === 0 ? [] : [`--capability=${given.join(",")}`]),
    ...(syscalls.length === 0 ? [] : [`--system-call-filter=${syscalls.join(" ")}`]),
  ];
}

/**
 * The capabilities that a machine does not have because its root is root on the host.
 *
 * @param machine The machine.
 * @returns Names; none where it has user ids of its own.
 */
export function droppedCapabilities({ settings, booted, ids }: PrivilegeSpec): string[] {
  if (ids !== null) return [];
  const kept = [...KEPT_CAPABILITIES, ...(booted ? CAPABILITIES_OF_SYSTEMD : []), ...settings.capabilities ?? []];
  return NSPAWN_CAPABILITIES.filter((name) => !kept.includes(name));
}

/** systemd-nspawn(1), --capability=; the last one where the network is a machine's own. */
const NSPAWN_CAPABILITIES = [
  ...["CAP_AUDIT_CONTROL", "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE"],
  ...["CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_IPC_OWNER", "CAP_KILL", "CAP_LEASE"],
  ...["CAP_LINUX_IMMUTABLE", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST"],
  ...["CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN"],
  ...["CAP_SYS_BOOT", "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE"],
  ...["CAP_SYS_TTY_CONFIG", "CAP_NET_ADMIN"],
];

/**
 * Refuses containers in a machine where they would be less safe than they look: their root would be the host's.
 *
 * @param settings The machine's settings.
 * @param ids The first id of its own; null where it shares those of the host.
 * @throws {Failure} of the host.
 */
export function refuseUnsafeNesting({ nesting }: MachineSettings, ids: number | null): void {
  if (!nesting || ids !== null) return;
  throw hostFailure(
    "Cannot start the machine: nesting needs user ids of its own, and it would have none",
    "nspawn-runner doctor says why; nesting = false does without",
  );
}

/**
 * Proves that a machine can do no more than it was meant to.
 *
 * @param leader Its PID 1.
 * @param machine What was asked for.
 * @throws {Failure} of the host where it can: it is less safe than it was promised.
 */
export function verifyPrivileges(leader: Leader, machine: PrivilegeSpec): void {
  if (machine.settings.seccomp && !leader.filtered) {
    throw hostFailure(
      "Cannot start the machine: nothing filters its system calls",
      "nspawn-runner doctor says why; seccomp = false in the configuration does without",
    );
  }
  const has = droppedCapabilities(machine).find((name) =>
    !leader.dropped.includes(CAPABILITIES.indexOf(name))
  );
  if (has === undefined && (machine.ids !== null || leader.noNewPrivileges)) return;
  throw hostFailure(
    `Cannot start the machine: it has ${has ?? "set-uid programs"}, which it was not to have`,
    "Update systemd-nspawn",
  );
}

/**
 * What makes a machine weaker than the standard, for the job's log.
 *
 * @param settings The machine's settings.
 * @returns A few words each.
 */
export function weakenedProtections(settings: MachineSettings): string[] {
  const { seccomp, capabilities, devices, syscalls, nesting } = settings;
  return [
    ...(seccomp ? [] : ["seccomp off"]),
    ...(nesting ? ["nesting"] : []),
    ...(capabilities === undefined ? [] : [`capabilities ${capabilities.join(" ")}`]),
    ...(devices === undefined ? [] : [`devices ${devices.join(" ")}`]),
    ...(syscalls === undefined ? [] : [`system calls ${syscalls.join(" ")}`]),
  ];
}
