import type { MachineSettings } from "../../config/settings.ts";
import type { Bind } from "../record/caches.ts";
import type { BootMasks } from "./boot_masks.ts";
import type { MachineName } from "../record/name.ts";
import type { Link } from "../network/veth.ts";
import type { Network } from "../record/network.ts";
import type { MachinePaths } from "../record/paths.ts";
import type { Root } from "../storage/storage.ts";

/** One device. */
export interface Device {
  /** Its path, on the host and in the machine. */
  readonly path: string;
  readonly kind: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly readOnly: boolean;
}

/** All that is needed to start a machine. */
export interface MachineSpec {
  readonly name: MachineName;
  readonly root: Root;
  readonly paths: MachinePaths;
  /** What of the host it sees. */
  readonly binds: readonly Bind[];
  /** What devices of the host it may use. */
  readonly devices: readonly Device[];
  readonly settings: MachineSettings;
  /** Whether systemd is its PID 1. */
  readonly booted: boolean;
  /** What it does not start where it boots. */
  readonly bootMasks: BootMasks;
  /** The first of the host's ids that are its own; null where it shares those of the host. */
  readonly ids: number | null;
  readonly network: Network["kind"];
  /** What nspawn is to take for the host's resolv.conf(5); null for that one. */
  readonly resolvConf: string | null;
  /** What connects it to the host; null where nothing does, or the network is the host's. */
  readonly link: Link | null;
  /** Seconds after which it ends by itself. */
  readonly lifetime: number;
  /** nspawn's options for its time zone. */
  readonly timezone: readonly string[];
  /** The version of systemd-nspawn on this host. */
  readonly nspawnVersion: number;
}
