/** The command line of systemd-nspawn(1) for a machine. */

import type { MachineSettings } from "../../config/settings.ts";
import type { Argv } from "../../host/host.ts";
import type { Bind } from "../record/caches.ts";
import { generatorMaskOptions } from "./boot_masks.ts";
import { idCount } from "../record/ids.ts";
import { MACHINE_INTERFACE } from "../network/address.ts";
import { withResolvConf } from "../network/resolv.ts";
import { INSIDE } from "../record/paths.ts";
import { deviceNodes, withDevices } from "./devices.ts";
import { privilegeOptions } from "./privileges.ts";
import type { MachineSpec } from "./spec.ts";
import { commonNspawnArgv, escapeColons, type Registration } from "../../linux/nspawn.ts";

/** Written by a plain machine's init once it runs. */
export const PLAIN_READY = "ready";

/**
 * Keeps a plain machine alive. It closes the output that it shares with nspawn: a job could open it by
 * /proc, and fill the host's journal.
 */
export const PLAIN_INIT_SCRIPT =
  `[ -d /tmp ] || mkdir -m 1777 /tmp; exec </dev/null; sleep 0 && echo ${PLAIN_READY} >>${INSIDE}/result && exec sleep infinity >/dev/null 2>&1`;

const PLAIN_PAYLOAD = ["/bin/sh", "-c", PLAIN_INIT_SCRIPT];

/** Returns the command line that runs a machine in the foreground. */
export function nspawnArgv(spec: MachineSpec, registration: Registration): Argv {
  const argv: Argv = [
    ...commonNspawnArgv({ machine: spec.name, registration, timezone: spec.timezone }),
    ...spec.root.options,
    ...(spec.ids === null ? [] : [`--private-users=${spec.ids}:${idCount(spec.ids)}`]),
    ...privilegeOptions(spec),
    ...deviceNodes(spec).map(({ from, to }) => `--bind=${escapeColons(from)}:${to}`),
    ...networkOptions(spec),
    "--link-journal=no",
    `--bind-ro=${spec.paths.stage}:${INSIDE}`,
    `--bind=${escapeColons(spec.paths.result)}:${INSIDE}/result`,
    ...spec.binds.map((bind) => bindOption(bind, spec.ids !== null)),
    ...(spec.booted ? bootOptions(spec) : ["--as-pid2", "--", ...PLAIN_PAYLOAD]),
  ];
  const inRoot = withDevices(spec, spec.root.wrap?.(argv) ?? argv);
  return withResolvConf(spec.resolvConf, inRoot);
}

/** Else nspawn hides /tmp of the root by a tmpfs. */
export const TMP_ON_STORAGE = { SYSTEMD_NSPAWN_TMPFS_TMP: "0" };

/** With a link, nspawn also creates a network namespace. */
function networkOptions({ network, link }: MachineSpec): string[] {
  if (network === "host") return ["--resolv-conf=replace-host"];
  const extra = link === null ? [] : [`--network-veth-extra=${link.name}:${MACHINE_INTERFACE}`];
  const resolvConf = network === "none" ? "off" : "replace-host";
  return ["--private-network", ...extra, `--resolv-conf=${resolvConf}`];
}

function bindOption({ from, to, readOnly, keepsDiskOwners }: Bind, isMapped: boolean): string {
  const option = `--bind${readOnly ? "-ro" : ""}=${escapeColons(from)}:${escapeColons(to)}`;
  return isMapped && keepsDiskOwners ? `${option}:idmap` : option;
}

/** The words after `--` are arguments of the machine's systemd, which reads them like a kernel command line. */
function bootOptions({ name, bootMasks }: MachineSpec): string[] {
  return [
    ...generatorMaskOptions(bootMasks),
    "--boot",
    "--notify-ready=yes",
    "--",
    `systemd.hostname=${name}`, // else it is the chroot's /etc/hostname, the same for all machines
    ...bootMasks.units.map((unit) => `systemd.mask=${unit}`),
  ];
}

/** Returns the environment of nspawn, in variables of systemd's docs/ENVIRONMENT.md. */
export function nspawnEnvironment(
  { seccomp, tmp }: Pick<MachineSettings, "seccomp" | "tmp">,
): Record<string, string> {
  return {
    ...(tmp === "tmpfs" ? {} : TMP_ON_STORAGE),
    // Also on hosts whose cgroup hierarchy is a mixed one, the machine's systemd needs the unified one.
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
    // Always set: the host's environment may switch it off.
    SYSTEMD_SECCOMP: seccomp ? "1" : "0",
  };
}
