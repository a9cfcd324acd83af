/** The types of the library. Names and values of settings are those of the configuration. */

/** What a machine is started with. */
export interface MachineOptions {
  /** A chroot, or an image that `pull` allows, as in `image:` of a job. Default: `default_image` of the configuration. */
  readonly image?: string;
  /** Whether systemd boots in it; default: as the chroot's definition says. An image of a registry never boots. */
  readonly boot?: boolean;
  /** Its access to networks; default: as the chroot's definition says, else `auto`. */
  readonly network?: "auto" | "private" | "host" | "none";
  /** The user in the machine who runs scripts; default: as the definition or the image says, else root. */
  readonly user?: string;
  /** Files and folders of the host that it sees, `HOST:MACHINE` or `HOST:MACHINE:ro`, in addition to the definition's. */
  readonly binds?: readonly string[];
  /** Its limits; those that are absent are as the chroot's definition says. */
  readonly limits?: MachineLimits;
  /** Variables of all its scripts. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Services that run beside it, and are reached by their names; they end with it. */
  readonly services?: readonly MachineService[];
  /** Seconds after which it is ended in any case; default: `deadline` of the configuration. */
  readonly lifetime?: number;
  /** The configuration; default: $NSPAWN_RUNNER_CONFIG, else /etc/nspawn-runner/config.toml. */
  readonly config?: string;
  /** When aborted, interrupts the start, and later each script of the machine. */
  readonly signal?: AbortSignal;
  /** Called with each message about the start and the end, such as the image that was chosen; default: none is shown. */
  readonly onMessage?: (message: string) => void;
}

/** Limits of a machine, with values as in systemd.resource-control(5). */
export interface MachineLimits {
  /** Weight of its processor time, from 1 to 10000. */
  readonly cpu_weight?: number;
  /** Its processor time, in percent of one processor, such as `150%`. */
  readonly cpu_quota?: string;
  /** Memory above which it is slowed down, such as `2G` or `80%`. */
  readonly memory_high?: string;
  /** Memory at which the kernel kills processes of it, such as `2G`. */
  readonly memory_max?: string;
  /** Its swap, such as `1G`. */
  readonly swap_max?: string;
  /** Weight of its access to disks, from 1 to 10000. */
  readonly io_weight?: number;
  /** The number of its processes and threads, such as `512`. */
  readonly tasks_max?: string;
  /** Bytes that it may write to its root, such as `10G`. */
  readonly disk_max?: string;
}

/** A service beside a machine. */
export interface MachineService {
  /** Its image, as that of a machine. Its names in the network are made of it, as in Docker's executor. */
  readonly name: string;
  /** More names in the network, between spaces. */
  readonly alias?: string;
  /** Replaces the entrypoint of its image. */
  readonly entrypoint?: readonly string[];
  /** Replaces the command of its image. */
  readonly command?: readonly string[];
  /** Its environment. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** A machine that runs. `await using` ends it where its block ends. */
export interface Machine extends AsyncDisposable {
  /** Its name, as in `nspawn-runner list`. */
  readonly name: string;
  /** The id by which commands find it, as in `nspawn-runner shell ID`. */
  readonly id: string;
  /** Whether systemd is its PID 1. */
  readonly isBooted: boolean;
  /**
   * Runs a script and waits for its end. Scripts of one machine run one after the other. What a script leaves running ends
   * with it.
   *
   * @param script Text for bash, or for sh where the machine has no bash. A first line `#!` names another shell.
   * @throws {Failure} `host` where the machine ended meanwhile, or does not answer; `refused` where an option is wrong. The
   *   reason of the signal, where it is aborted: by then the processes of the script have ended.
   */
  run(script: string, options?: RunOptions): Promise<ScriptResult>;
  /**
   * Ends the machine with its processes and its services, and removes what it wrote. Does nothing for one that has ended.
   *
   * @throws {Failure} `host` where something could not be removed: nspawn-runner gc does it later.
   */
  end(): Promise<void>;
}

/**
 * Where output goes: `text` into the result, at most 64 MiB of it; `inherit` to the same stream of this process; `null` nowhere;
 * or to a stream, which is not closed. A script waits for a stream that is slow.
 */
export type OutputTarget = "text" | "inherit" | "null" | WritableStream<Uint8Array>;

/** How a script is run. */
export interface RunOptions {
  /** Where its output goes; default: `text`. */
  readonly stdout?: OutputTarget;
  /** Where its messages go; `stdout` puts them between the output, in their order. Default: `text`. */
  readonly stderr?: OutputTarget | "stdout";
  /** Variables in addition to those of the machine. */
  readonly variables?: Readonly<Record<string, string>>;
  /** When aborted, ends the script and its processes, by SIGTERM and two seconds later by SIGKILL; the machine goes on. */
  readonly signal?: AbortSignal;
}

/** How a script ended. */
export interface ScriptResult {
  /** Its exit code; 128 + n after the signal n, 137 where it ran out of memory. */
  readonly code: number;
  /** Its output, decoded as UTF-8; empty where it went elsewhere. */
  readonly stdout: string;
  /** Its messages, decoded as UTF-8; empty where they went elsewhere. */
  readonly stderr: string;
  /** What the host knows of a failure: limits that it met, or services that failed. Empty after success. */
  readonly reasons: readonly string[];
}
