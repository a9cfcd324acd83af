/** Checks whether settings give machines more than is promised of them: docs/security.md. */

import { ownSettings } from "../chroots/find/resolve.ts";
import { settingsFor } from "../config/load.ts";
import type { Config, MachineSettings } from "../config/settings.ts";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { overlap } from "../machines/network/overlap.ts";
import { METADATA } from "../machines/network/rules.ts";
import { type Check, type Finding, unknown, weak } from "./finding.ts";

/** Settings of the configuration that weaken a promise, and have no row of their own elsewhere. */
export const weakConfiguration: Check = (_host, config) =>
  Promise.resolve([
    ...ofAllChroots(config),
    ...openedMetadata(config),
    ...openedByJobs(config),
  ]);

/** Settings of single chroots that weaken a promise. */
export const weakChroots: Check = async (host, config, chroots) => {
  const findings: Finding[] = [];
  for (const { name, state } of chroots) {
    if (state === "invalid") continue;
    const topic = `chroot ${name}`;
    try {
      const settings = settingsFor(config, ...await ownSettings(quiet(host), config, name));
      const own = OPENED.filter(({ describe }) => describe(settings) !== describe(config));
      const found = described(own, settings);
      if (found !== "") findings.push(weak(topic, found, FIX("its definition", "its")));
    } catch (error) {
      findings.push(unknown(topic, messageOf(error)));
    }
  }
  return findings;
};

/** Each use of a playbook logs its warnings again. */
function quiet(host: Host): Host {
  return { ...host, log: { ...host.log, warn() {} } };
}

function ofAllChroots(config: Config): Finding[] {
  const found = described(OPENED.filter(({ hasOwnRow }) => !hasOwnRow), config);
  return found === "" ? [] : [weak("all chroots", found, FIX("the configuration", "all"))];
}

const FIX = (place: string, whose: string) =>
  `Remove from ${place} what ${whose} jobs do not need: it is open to each of them`;

/** A setting that opens what is closed by default; `describe` returns null where it does not. */
interface Opened {
  readonly describe: (settings: MachineSettings) => string | null;
  /** Whether the doctor has a row for this setting of the configuration. */
  readonly hasOwnRow: boolean;
}

const OPENED: readonly Opened[] = [
  { describe: ({ network }) => network === "host" ? 'network = "host"' : null, hasOwnRow: true },
  {
    describe: (settings) => settings.private_users === "off" ? 'private_users = "off"' : null,
    hasOwnRow: true,
  },
  { describe: ({ seccomp }) => seccomp ? null : "seccomp = false", hasOwnRow: true },
  { describe: ({ nesting }) => nesting ? "nesting = true" : null, hasOwnRow: false },
  list("capabilities"),
  list("devices"),
  list("syscalls"),
];

function list(key: "capabilities" | "devices" | "syscalls"): Opened {
  const describe = ({ [key]: values = [] }: MachineSettings) =>
    values.length === 0 ? null : `${key} = ${values.join(", ")}`;
  return { describe, hasOwnRow: false };
}

function described(opened: readonly Opened[], settings: MachineSettings): string {
  return opened.flatMap(({ describe }) => describe(settings) ?? []).join("; ");
}

function openedMetadata({ network_allow }: Config): Finding[] {
  const entries = network_allow.filter((entry) => METADATA.some((one) => overlap(entry, one)));
  if (entries.length === 0) return [];
  return [weak(
    "network_allow",
    `${entries.join(", ")}: jobs may read credentials of the host from metadata services`,
    "Remove these addresses, or replace them by networks without metadata services",
  )];
}

function openedByJobs({ overrides }: Config): Finding[] {
  if (overrides.network !== "host") return [];
  return [weak(
    "overrides.network",
    "each job may choose the host's network: its loopback, metadata services and other machines",
    'Set overrides.network = "private"',
  )];
}
