/** What root in a machine may do: capabilities and system calls. */

import { CAPABILITIES } from "../../config/capabilities.ts";
import type { MachineSettings } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Leader } from "../record/lease.ts";
import type { MachineSpec } from "./spec.ts";

/** Kept where the machine's root is the host's root: Docker's default set without CAP_MKNOD and CAP_NET_RAW. */
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

/** systemd needs them to mount, and to raise the limits of services. */
const CAPABILITIES_OF_SYSTEMD = ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"];

/**
 * Debuggers, strace(1) and LeakSanitizer use them, and Docker's filter allows them. nspawn's own allows them only with
 * CAP_SYS_PTRACE, which a machine has in its own user namespace.
 */
const DEBUGGING_SYSCALLS = ["ptrace", "process_vm_readv", "process_vm_writev"];

/** Container engines use them; keyrings belong to the users of the machine. */
const NESTING_SYSCALLS = ["add_key", "keyctl"];

/** For container networks. It applies only to networks that belong to the machine's user namespace. */
const NESTING_CAPABILITIES = ["CAP_NET_ADMIN"];

/** The parts of a machine's specification that decide what its root may do. */
export interface PrivilegeSpec extends Pick<MachineSpec, "booted" | "ids"> {
  readonly settings: Pick<MachineSettings, "seccomp" | "capabilities" | "syscalls" | "nesting">;
}

/** The default settings. */
export const DEFAULT_PRIVILEGES: PrivilegeSpec["settings"] = {
  seccomp: true,
  capabilities: undefined,
  syscalls: undefined,
  nesting: false,
};

/**
 * Returns nspawn's options for capabilities and system calls. A machine with its own user ids keeps nspawn's default
 * capabilities: they apply in its user namespace only, and sudo and ping work.
 */
export function privilegeOptions(machine: PrivilegeSpec): string[] {
  const { settings, ids } = machine;
  const nesting = settings.nesting && ids !== null;
  const added = [...settings.capabilities ?? [], ...(nesting ? NESTING_CAPABILITIES : [])];
  const syscalls = [
    ...settings.syscalls ?? [],
    ...(nesting ? NESTING_SYSCALLS : []),
    ...(ids === null && settings.seccomp ? DEBUGGING_SYSCALLS : []),
  ];
  return [
    ...(ids === null
      ? [`--drop-capability=${droppedCapabilities(machine).join(",")}`, "--no-new-privileges=yes"]
      : []),
    ...(added.length === 0 ? [] : [`--capability=${added.join(",")}`]),
    ...(syscalls.length === 0 ? [] : [`--system-call-filter=${syscalls.join(" ")}`]),
  ];
}

/** Returns the capabilities that a machine loses because its root is the host's root; none with its own user ids. */
export function droppedCapabilities({ settings, booted, ids }: PrivilegeSpec): string[] {
  if (ids !== null) return [];
  const kept = [
    ...KEPT_CAPABILITIES,
    ...(booted ? CAPABILITIES_OF_SYSTEMD : []),
    ...settings.capabilities ?? [],
  ];
  return NSPAWN_CAPABILITIES.filter((name) => !kept.includes(name));
}

/** nspawn's default, the last one with --private-network only: systemd-nspawn(1), --capability=. */
const NSPAWN_CAPABILITIES = [
  ...["CAP_AUDIT_CONTROL", "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE"],
  ...["CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_IPC_OWNER", "CAP_KILL", "CAP_LEASE"],
  ...["CAP_LINUX_IMMUTABLE", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST"],
  ...["CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN"],
  ...["CAP_SYS_BOOT", "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE"],
  ...["CAP_SYS_TTY_CONFIG", "CAP_NET_ADMIN"],
];

/**
 * Refuses `nesting` where the root of containers would be the host's root.
 *
 * @param ids The first of the machine's own ids; null where it shares the host's.
 * @throws {Failure} `host` where nesting is set without own ids.
 */
export function refuseUnsafeNesting({ nesting }: MachineSettings, ids: number | null): void {
  if (!nesting || ids !== null) return;
  throw hostFailure(
    "Cannot start the machine: nesting needs user ids of its own, which this host cannot give it",
    "nspawn-runner doctor names the reason; or set nesting = false",
  );
}

/**
 * Verifies from the host that a machine has no more privileges than its specification gives it.
 *
 * @throws {Failure} `host` where it has.
 */
export function verifyPrivileges(leader: Leader, machine: PrivilegeSpec): void {
  if (machine.settings.seccomp && !leader.filtered) {
    throw hostFailure(
      "Cannot start the machine: nothing filters its system calls",
      "nspawn-runner doctor names the reason; or set seccomp = false in the configuration",
    );
  }
  const kept = droppedCapabilities(machine).find((name) =>
    !leader.dropped.includes(CAPABILITIES.indexOf(name))
  );
  if (kept === undefined && (machine.ids !== null || leader.noNewPrivileges)) return;
  throw hostFailure(
    `Cannot start the machine: systemd-nspawn did not ${
      kept === undefined ? "disable set-uid programs" : `drop ${kept}`
    }, although it was told to`,
    "Update systemd-nspawn, in the package systemd-container or systemd",
  );
}

/** Returns the settings that make a machine weaker than the default, as short texts for the job's log. */
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
