/** The command line of systemd-nspawn(1) for a machine. */

import type { MachineSettings } from "../../config/settings.ts";
import type { Argv } from "../../host/host.ts";
import { inOwnMounts, type Step } from "../../linux/mounts.ts";
import type { Bind } from "../record/caches.ts";
import { generatorMaskOptions } from "./boot_masks.ts";
import { idCount } from "../record/ids.ts";
import { MACHINE_INTERFACE } from "../network/address.ts";
import { resolvConfSteps } from "../network/resolv.ts";
import { CHANNEL, INSIDE, SERVER_UNIT } from "../record/channel.ts";
import { BUSYBOX, HELPER_INSIDE, RUNNER } from "../record/helper_root.ts";
import { deviceNodes, deviceSteps } from "./devices.ts";
import { privilegeOptions } from "./privileges.ts";
import type { MachineSpec } from "./spec.ts";
import { commonNspawnArgv, escapeColons, type Registration } from "../../linux/nspawn.ts";

/**
 * Returns the command line that runs a machine in the foreground.
 *
 * @param limits The first step: limits of the machine's cgroup.
 */
export function nspawnArgv(spec: MachineSpec, registration: Registration, limits: Step): Argv {
  const argv: Argv = [
    ...commonNspawnArgv({ machine: spec.name, registration, timezone: spec.timezone }),
    ...spec.root.options,
    ...(spec.ids === null ? [] : [`--private-users=${spec.ids}:${idCount(spec.ids)}`]),
    ...privilegeOptions(spec),
    ...deviceNodes(spec).map(({ from, to }) => `--bind=${escapeColons(from)}:${to}`),
    ...networkOptions(spec),
    "--link-journal=no",
    `--bind-ro=${spec.paths.stage}:${INSIDE}`,
    `--bind=${escapeColons(spec.paths.result)}:${INSIDE}/${CHANNEL.result}`,
    ...[...helperRootBinds(spec), ...spec.binds].map((bind) => bindOption(bind, spec.ids !== null)),
    ...(spec.booted
      ? bootOptions(spec)
      : ["--as-pid2", "--", ...shellOf(spec), `${INSIDE}/${CHANNEL.server}`]),
  ];
  const mounts = [...resolvConfSteps(spec.resolvConf), ...deviceSteps(spec), spec.root.mount];
  return inOwnMounts([limits, ...mounts], argv);
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

/** Returns the shell of the stage server: an image with a helper root may have none of its own. */
function shellOf({ helper }: MachineSpec): string[] {
  return helper === null ? ["/bin/sh"] : [`${HELPER_INSIDE}/${BUSYBOX}`, "sh"];
}

function helperRootBinds({ helper }: MachineSpec): Bind[] {
  if (helper === null) return [];
  const tree = { from: helper.path, to: HELPER_INSIDE, readOnly: true, keepsDiskOwners: true };
  const to = `${INSIDE}/${RUNNER}`;
  return [
    tree,
    ...helper.binds.map((bind) => ({ ...bind, to: `${HELPER_INSIDE}${bind.to}` })),
    ...(helper.runner === null
      ? []
      : [{ from: helper.runner, to, readOnly: true, keepsDiskOwners: false }]),
  ];
}

function bindOption({ from, to, readOnly, keepsDiskOwners }: Bind, isMapped: boolean): string {
  const option = `--bind${readOnly ? "-ro" : ""}=${escapeColons(from)}:${escapeColons(to)}`;
  return isMapped && keepsDiskOwners ? `${option}:idmap` : option;
}

/** The words after `--` are arguments of the machine's systemd, which reads them like a kernel command line. */
function bootOptions({ name, bootMasks }: MachineSpec): string[] {
  return [
    ...generatorMaskOptions(bootMasks),
    // An empty entry at the end stands for the default folders. systemd does not pass the variable on to services.
    `--setenv=SYSTEMD_UNIT_PATH=${INSIDE}/${CHANNEL.units}:`,
    "--boot",
    "--notify-ready=yes",
    "--",
    `systemd.hostname=${name}`, // else it is the chroot's /etc/hostname, the same for all machines
    ...bootMasks.units.map((unit) => `systemd.mask=${unit}`),
    `systemd.wants=${SERVER_UNIT}`,
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
