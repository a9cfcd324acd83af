import type { MachineSettings } from "../../config/settings.ts";
import type { Bind } from "../record/caches.ts";
import type { BootMasks } from "./boot_masks.ts";
import type { MachineName } from "../record/name.ts";
import type { Veth } from "../network/veth.ts";
import type { Network } from "../record/network.ts";
import type { MachinePaths } from "../record/paths.ts";
import type { HelperRoot } from "../record/plan.ts";
import type { Root } from "../storage/storage.ts";

/** A device of the host. */
export interface Device {
  /** Its path, on the host and in the machine. */
  readonly path: string;
  readonly kind: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly readOnly: boolean;
}

/** Everything that a supervisor needs to start a machine. */
export interface MachineSpec {
  readonly name: MachineName;
  readonly root: Root;
  /** Where GitLab Runner's own stages run; null where all stages run in its root. */
  readonly helper: HelperRoot | null;
  readonly paths: MachinePaths;
  /** Files and folders of the host that are mounted in it. */
  readonly binds: readonly Bind[];
  /** Devices of the host that it may use. */
  readonly devices: readonly Device[];
  readonly settings: MachineSettings;
  /** Whether systemd is its PID 1. */
  readonly booted: boolean;
  /** Units and generators that are masked where it boots. */
  readonly bootMasks: BootMasks;
  /** The first of its own ids; null where it shares the host's. */
  readonly ids: number | null;
  readonly network: Network["kind"];
  /** A file that nspawn uses instead of the host's resolv.conf(5); null for the host's. */
  readonly resolvConf: string | null;
  /** Its veth link to the host; null where it has none. */
  readonly link: Veth | null;
  /** Called with its PID 1 as soon as that runs, in a network namespace of its own where it has one. */
  readonly onLeader?: ((pid: number) => void) | undefined;
  /** Seconds after which it is ended. */
  readonly lifetime: number;
  /** nspawn's options for its time zone. */
  readonly timezone: readonly string[];
}
