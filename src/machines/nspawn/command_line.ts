/** The command line of systemd-nspawn(1). */

import type { Argv } from "../../host/host.ts";
import type { Bind } from "../record/caches.ts";
import { generatorMaskOptions } from "./boot_masks.ts";
import { COUNT } from "../record/ids.ts";
import { MACHINE_INTERFACE } from "../network/address.ts";
import { withResolvConf } from "../network/resolv.ts";
import { INSIDE } from "../record/paths.ts";
import { deviceNodes, withDevices } from "./devices.ts";
import { privilegeOptions } from "./privileges.ts";
import type { MachineSpec } from "./spec.ts";
import { escapeColons } from "../../linux/nspawn.ts";

/** What the process of a plain machine says when it runs. */
export const PLAIN_READY = "ready";

/**
 * Keeps a plain machine alive. It closes the output that it shares with nspawn: a job could open it by
 * /proc, and fill the host's journal.
 */
export const PLAIN_INIT_SCRIPT =
  `sleep 0 && echo ${PLAIN_READY} >>${INSIDE}/result && exec sleep infinity >/dev/null 2>&1`;

const PLAIN_PAYLOAD = ["/bin/sh", "-c", PLAIN_INIT_SCRIPT];

/**
 * The command line that keeps a machine running.
 *
 * @param spec The machine.
 * @param options The supervisor's own options.
 * @returns The words.
 */
export function nspawnArgv(spec: MachineSpec, options: readonly string[]): Argv {
  const argv: Argv = [
    "systemd-nspawn",
    "--quiet",
    `--machine=${spec.name}`,
    ...options,
    ...spec.root.options,
    ...(spec.ids === null ? [] : [`--private-users=${spec.ids}:${COUNT}`]),
    ...privilegeOptions(spec),
    ...deviceNodes(spec).map(({ from, to }) => `--bind=${escapeColons(from)}:${to}`),
    "--console=pipe",
    ...networkOptions(spec),
    "--link-journal=no",
    ...spec.timezone,
    ...(spec.nspawnVersion >= 250 ? ["--suppress-sync=yes"] : []),
    `--bind-ro=${spec.paths.stage}:${INSIDE}`,
    `--bind=${escapeColons(spec.paths.result)}:${INSIDE}/result`,
    ...spec.binds.map((bind) => bindOption(bind, spec.ids !== null)),
    ...(spec.booted ? bootOptions(spec) : ["--as-pid2", "--", ...PLAIN_PAYLOAD]),
  ];
  const inRoot = withDevices(spec, spec.root.wrap?.(argv) ?? argv);
  return withResolvConf(spec.resolvConf, inRoot);
}

/** Where nspawn makes a link it makes a namespace, too. */
function networkOptions({ network, link }: MachineSpec): string[] {
  if (network === "host") return ["--resolv-conf=replace-host"];
  const extra = link === null ? [] : [`--network-veth-extra=${link.name}:${MACHINE_INTERFACE}`];
  const resolvConf = network === "none" ? "off" : "replace-host";
  return ["--private-network", ...extra, `--resolv-conf=${resolvConf}`];
}

function bindOption({ from, to, readOnly, sameOwners }: Bind, isMapped: boolean): string {
  const option = `--bind${readOnly ? "-ro" : ""}=${escapeColons(from)}:${escapeColons(to)}`;
  return isMapped && sameOwners ? `${option}:idmap` : option;
}

/** What follows `--` are arguments of the machine's init, which takes them for a kernel's. */
function bootOptions({ name, bootMasks: idle }: MachineSpec): string[] {
  return [
    ...generatorMaskOptions(idle),
    "--boot",
    "--notify-ready=yes",
    "--",
    `systemd.hostname=${name}`, // else /etc/hostname of the chroot wins, the same for all machines
    ...idle.units.map((unit) => `systemd.mask=${unit}`),
  ];
}

/**
 * nspawn's environment: its own, and nothing of a job's.
 *
 * @param seccomp Whether the filter of system calls is on.
 * @returns Variables of systemd's ENVIRONMENT.md.
 */
export function nspawnEnvironment(seccomp: boolean): Record<string, string> {
  return {
    // Where the host's own hierarchy is a mixed one, systemd in the machine still wants the unified.
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
    // Said either way: a host's own environment may say that it is off.
    SYSTEMD_SECCOMP: seccomp ? "1" : "0",
  };
}
