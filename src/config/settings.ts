/** What the administrator may decide: for all machines, and for one chroot. */

/** How a machine's writes are kept off its chroot; `auto` picks what the store can do. */
export type StorageChoice = "auto" | "overlay" | "btrfs" | "tmpfs";

/** Which program creates Debian chroots; `auto` prefers mmdebstrap. */
export type ToolChoice = "auto" | "mmdebstrap" | "debootstrap";

/** Limits of one machine, in the words of systemd.resource-control(5). */
export interface Limits {
  /** CPUWeight=, 1 to 10000. */
  readonly cpu_weight: number;
  /** MemoryHigh=: bytes with an optional K, M, G or T, a percentage of RAM, or `infinity`. */
  readonly memory_high: string;
  /** MemoryMax=, as memory_high. */
  readonly memory_max: string;
  /** MemorySwapMax=, as memory_max. */
  readonly swap_max: string;
  /** CPUQuota=: a percentage of one CPU, or `infinity`. */
  readonly cpu_quota: string;
  /** IOWeight=, 1 to 10000. */
  readonly io_weight: number;
  /** TasksMax=: a number, a percentage, or `infinity`. */
  readonly tasks_max: string;
  /** What the machine may write: bytes with an optional K, M, G or T, or `infinity`. */
  readonly disk_max: string;
}

/** Whether a machine has user ids of its own: `auto` where the host can. */
export type PrivateUsers = "auto" | "off";

/** What machines see of the network: `auto` is private where the host can. */
export type NetworkChoice = "auto" | "private" | "host" | "none";

/** What may differ from chroot to chroot. */
export interface MachineSettings {
  readonly storage: StorageChoice;
  readonly limits: Limits;
  /** nspawn's filter of system calls. */
  readonly seccomp: boolean;
  /** Names of capabilities(7) that a machine has besides. */
  readonly capabilities: readonly string[] | undefined;
  /** Devices of the host that it may use: `/dev/NAME`, and perhaps `:r` or `:rw`. */
  readonly devices: readonly string[] | undefined;
  /** System calls that the filter lets pass besides. */
  readonly syscalls: readonly string[] | undefined;
  /** Whether jobs may run containers. */
  readonly nesting: boolean;
  /** Whether systemd runs as PID 1 in the machine; a chroot without systemd never boots. */
  readonly boot: boolean;
  /** Who runs scripts: a name, or a number; undefined for root, or whom an image names. */
  readonly user: string | undefined;
  readonly private_users: PrivateUsers;
  readonly network: NetworkChoice;
  /** What else of the host machines see: `HOST:MACHINE`, and perhaps `:ro`. */
  readonly binds: readonly string[] | undefined;
  /** The shell of scripts that name none. */
  readonly shell: string;
  /** Longest wait until a machine is ready, in seconds. */
  readonly prepare_timeout: number;
  /** Where packages come from; the tool's own default when undefined. */
  readonly mirror: string | undefined;
  readonly tool: ToolChoice;
}

/** How far jobs may change their machines; what is undefined they may not change. */
export interface Overrides {
  /** Bytes with an optional K, M, G or T. */
  readonly memory_max: string | undefined;
  /** A percentage of one CPU. */
  readonly cpu_quota: string | undefined;
  readonly tasks_max: string | undefined;
  /** Bytes with an optional K, M, G or T. */
  readonly disk_max: string | undefined;
  /** Whether they may choose. */
  readonly boot: boolean | undefined;
  /** How much of the network they may have. */
  readonly network: Exclude<NetworkChoice, "auto"> | undefined;
}

/** The whole configuration. */
export interface Config extends MachineSettings {
  /** Where chroots and machines live. */
  readonly store: string;
  /** Where definitions live, before the store. */
  readonly definitions: string;
  /** The image of a job that names none. */
  readonly default_image: string | undefined;
  /** Patterns of the names of chroots that jobs may use. */
  readonly allowed_images: readonly string[];
  /** How far jobs may change their machines. */
  readonly overrides: Overrides;
  /** The IPv4 addresses of machines, `ADDRESS/BITS`. */
  readonly network_range: string;
  /** Addresses and networks where machines may not go. */
  readonly network_deny: readonly string[];
  /** Those where they may nevertheless. */
  readonly network_allow: readonly string[];
  /** Longest life of a machine that no GitLab Runner watches over, in seconds. */
  readonly deadline: number;
  /** How long what a failed job wrote is kept, in seconds; undefined for not at all. */
  readonly keep_failed: number | undefined;
  /** The gitlab-runner that machines get; looked for on PATH when undefined. */
  readonly gitlab_runner: string | undefined;
  /** Whether the builds folder of a project outlives its jobs. */
  readonly persistent_builds: boolean;
  /** How many generations of a chroot stay, the current one among them. */
  readonly keep_generations: number;
  /** Less free disk than this on the store takes no new machine, in bytes. */
  readonly disk_reserve: number;
  /** How much all caches and builds folders may hold, in bytes; Infinity for no limit. */
  readonly cache_max_size: number;
  /** How long a cache or builds folder lives that no job uses, in seconds. */
  readonly cache_max_age: number;
}

/** How a chroot is made; absent keys are decided elsewhere, or mean nothing more. */
export interface BuildRecipe {
  /** The suite to create it from. */
  readonly suite?: string;
  /** `tar:PATH`, `dir:PATH`, `docker:IMAGE` or `oci:PATH` instead of a suite. */
  readonly source?: string;
  /** Another chroot that it starts from, instead of a suite. */
  readonly extends?: string;
  readonly components?: readonly string[];
  /** Packages besides the usual ones. */
  readonly packages?: readonly string[];
  /** Keys that prove the archive. */
  readonly keyring?: string;
  /** Paths of the host, each with its place in the chroot. */
  readonly copy?: Readonly<Record<string, string>>;
  /** Commands of sh that run in it. */
  readonly setup?: readonly string[];
  /** A playbook that is not called like the chroot; from the definition's folder where it is relative. */
  readonly playbook?: string;
  /** Whether maintenance makes it anew. */
  readonly recreate?: boolean;
  /** Other names of it. */
  readonly aliases?: readonly string[];
}

/** What a definition says of its chroot. */
export interface Definition {
  /** How the chroot is made. */
  readonly build: BuildRecipe;
  /** Settings that replace the configuration's for this chroot. */
  readonly machine: OwnSettings;
}

/** What differs for one chroot; absent keys stay as they are. */
export type OwnSettings = Partial<Omit<MachineSettings, "limits">> & {
  readonly limits?: Partial<Limits>;
};
