/** The plan of a machine: what the configuration, the chroot and the job ask for, before anything is reserved. */

import type { MachineSettings } from "../../config/settings.ts";
import type { Bind, ProjectFolders } from "./caches.ts";
import type { JobDescription } from "./description.ts";
import type { JobService, UsedChroot } from "./lease.ts";
import type { MachineName } from "./name.ts";
import type { NetworkPlan } from "./network.ts";

export type { Lower } from "./lower.ts";

/** Removes something that no machine needs, as long as `isEnough` returns false. */
export type FreeMore = (isEnough: () => Promise<boolean>, interrupt: AbortSignal) => Promise<void>;

/** The plan of one machine. */
export interface MachinePlan {
  readonly name: MachineName;
  readonly store: string;
  /**
   * Returns the tree to start from as it is now: maintenance may replace it until a lease names it. A pulled image may
   * be removed, and is pulled again.
   */
  readonly tree: () => Promise<BaseTree>;
  /** Whether the machine's root is the tree itself: a chroot is built in it. */
  readonly changesTree?: boolean;
  /** Called once the tree is reserved, before anything of it runs. */
  readonly onReserved?: (tree: BaseTree) => void;
  /** Called where the machine shares the user ids of the host, before anything of the tree runs; may refuse the start. */
  readonly onUnconfined?: (tree: BaseTree, isBooted: boolean) => void | Promise<void>;
  readonly settings: MachineSettings;
  readonly job: PlannedJob;
  /** Folders in the machine that belong to the user of its scripts. */
  readonly owned: readonly string[];
  /** Bytes of the store's disk that stay free for the host. */
  readonly diskReserve: number;
  /** Frees disk where less than the reserve is free, after all else: pulled images. */
  readonly freeMore?: FreeMore;
  /** The project's folders; undefined for a machine without a project. */
  readonly folders: ProjectFolders | undefined;
  /** Other files and folders of the host. */
  readonly binds: readonly Bind[];
  /** A folder of the host that the machine and its helper root see read-only; absent for none. */
  readonly input?: string;
  readonly networks: NetworkPlan;
  /** The services of the job, whose machines share folders with this one. */
  readonly services?: readonly JobService[];
  /** What the machine of a service has in addition. */
  readonly service?: ServicePlan;
}

/** The part of a plan that only machines of services have. */
export interface ServicePlan {
  /** The machine of the job. */
  readonly job: MachineName;
  readonly aliases: readonly string[];
  /** The image as the job names it. */
  readonly image: string;
  /** Whether it runs a program of the service; false where its systemd starts the servers. */
  readonly hasProgram: boolean;
  /** What it shares with the machine of the job. */
  readonly shared: SharedParts;
}

/** What the machines of one job share. */
export interface SharedParts {
  /** The first of their user ids; null where they share the host's. */
  readonly ids: number | null;
  /** The folders of builds and of the cache. */
  readonly binds: readonly Bind[];
}

/** What a machine starts from: the tree of a chroot, or a pulled image. */
export interface BaseTree extends UsedChroot {
  /** The user of scripts: a name or a number, optionally with `:GROUP`; empty for root. */
  readonly user: string;
  /** The environment of scripts, `NAME=VALUE`. */
  readonly environment: readonly string[];
  /** The number of its generation; null for a tree that is not one, or not yet. */
  readonly generation: number | null;
  /** Whether the tree never changes in place, as a generation; another program may change its own tree. */
  readonly isImmutable: boolean;
  /** Where GitLab Runner's own stages run; null where all stages run in the machine's root. */
  readonly helper: HelperRoot | null;
  /** How scripts of a pulled image are started; null where a shell reads them as files. */
  readonly process: ImageProcess | null;
  /** The pulled image, where it is one. */
  readonly pulled?: PulledTree;
  /** The program that runs instead of scripts; absent for none. */
  readonly program?: ServiceProgram;
}

/** What the history tells of a pulled image. */
export interface PulledTree {
  readonly digest: string;
  /** When it was pulled, as ISO 8601. */
  readonly pulled: string;
}

/** The program of a service. */
export interface ServiceProgram {
  /** The program and its arguments: at least one word. */
  readonly words: readonly string[];
  /** `NAME=VALUE`, the last one of a name counts. It may contain secrets that the job passes to its service. */
  readonly environment: readonly string[];
  readonly workingDir: string;
  /** The command that tests its health; empty for none. */
  readonly healthcheck: readonly string[];
  /** The ports on which its image listens, each as `PORT/PROTOCOL`. */
  readonly ports: readonly string[];
}

/** A tree with git and gitlab-runner, which a machine sees read-only beside its own root. */
export interface HelperRoot {
  /** Its tree, as a path without symlinks. */
  readonly path: string;
  /** The host's gitlab-runner; null where the tree has to have its own. */
  readonly runner: string | null;
  /** Files of the host in place of files of the tree; their `to` is a path in the tree. */
  readonly binds: readonly Bind[];
}

/** How an image starts a process: the image's own configuration, or what the job has in its place. */
export interface ImageProcess {
  /** The program and its arguments before those that run the script; none to run the script alone. */
  readonly entrypoint: readonly string[];
  readonly workingDir: string;
}

/** The job that a machine is for. */
export interface PlannedJob {
  readonly id: string;
  /** A hash of the GitLab server's identity; undefined by hand. */
  readonly server: string | undefined;
  /** The origin of the repository's URL; undefined without a repository. */
  readonly url: string | undefined;
  /** The process whose end also ends the machine: the GitLab Runner that called, this process, or none. */
  readonly watcher: "gitlab-runner" | "self" | "none";
  /** When the job began, in milliseconds since 1970. */
  readonly began: number;
  /** The job's time-out in seconds; undefined where GitLab sent none. */
  readonly timeout: number | undefined;
  /** Seconds from now on after which the machine may be ended in any case. */
  readonly lifetime: number;
  /** Seconds for which the writes of a failed job are kept. */
  readonly keepSeconds: number;
  /** What the history tells of it; null for what is no job. */
  readonly description: JobDescription | null;
}
