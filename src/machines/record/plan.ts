/** What a new machine is to be. */

import type { MachineSettings } from "../../config/settings.ts";
import type { Bind, FolderPlan } from "./caches.ts";
import type { UsedChroot } from "./lease.ts";
import type { MachineName } from "./name.ts";
import type { NetworkPlan } from "./network.ts";

/** A machine, before it is there. */
export interface MachinePlan {
  readonly name: MachineName;
  readonly store: string;
  /** What it starts from, as that is when it begins to use it. */
  readonly chroot: () => Promise<PlannedChroot>;
  readonly settings: MachineSettings;
  readonly job: PlannedJob;
  /** Folders in the machine that belong to who runs scripts. */
  readonly owned: readonly string[];
  /** Bytes of the store's disk that are left for the host. */
  readonly diskReserve: number;
  /** What it sees of its project's folders; undefined where it belongs to no project. */
  readonly folders: FolderPlan | undefined;
  /** What else of the host it sees. */
  readonly binds: readonly Bind[];
  /** What private networks of this host have in common. */
  readonly networks: NetworkPlan;
}

/** What a machine starts from. */
export interface PlannedChroot extends UsedChroot {
  /** Who runs scripts: a user of the chroot, and perhaps a group after a colon; empty for root. */
  readonly user: string;
  /** What scripts find in their environment, `NAME=VALUE`. */
  readonly environment: readonly string[];
  /** Whether its tree never changes in place, as a generation; another program's may. */
  readonly isFixed: boolean;
}

/** The job that a machine is for. */
export interface PlannedJob {
  readonly id: string;
  /** A short hash of what tells its server from others; undefined by hand. */
  readonly server: string | undefined;
  /** Where its repository is; undefined where it has none. */
  readonly url: string | undefined;
  /** Who watches over it, and takes it along at the latest: the GitLab Runner that called us, we, or nobody. */
  readonly watcher: "gitlab-runner" | "us" | "nobody";
  /** When it began, in milliseconds since 1970. */
  readonly began: number;
  /** Seconds that GitLab gives it. */
  readonly timeout: number | undefined;
  /** Seconds from now on after which its machine may be ended, whoever watches over it. */
  readonly lifetime: number;
  /** Seconds for which what a failed script wrote is kept. */
  readonly keep: number;
}
