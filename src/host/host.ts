/** The one door to the outside: processes, files, environment, clock, signals, terminal. */

/** A command line, as a list of words that no shell reads. */
export type Argv = readonly [string, ...string[]];

/** Where a child's stream goes. */
export type Stdio = "inherit" | "null";

/** Options of {@linkcode Processes.capture}. */
export interface CaptureOptions {
  /** The child's whole environment; the program's own when absent. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text for the child's stdin; its stdin is empty when absent. */
  readonly stdin?: string;
  /** Ends the child with SIGTERM when aborted. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode Processes.start}. */
export interface StartOptions {
  /** The child's whole environment; the program's own when absent. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory. */
  readonly cwd?: string;
  /** Default: null. */
  readonly stdin?: Stdio;
  /** Default: inherit. */
  readonly stdout?: Stdio;
  /** Default: inherit. */
  readonly stderr?: Stdio;
  /** Put the child into a session of its own, so that no signal to our group reaches it. */
  readonly detached?: boolean;
}

/** How a child ended. */
export interface Ended {
  /** Exit code; 128 + n after a signal, as Deno and shells count. */
  readonly code: number;
  /** The signal's name when one ended it. */
  readonly signal: string | null;
}

/** A child that ended, with what it printed. */
export interface Captured extends Ended {
  /** What it printed on stdout. */
  readonly stdout: string;
  /** What it printed on stderr. */
  readonly stderr: string;
}

/** A child that runs. */
export interface Child {
  /** Its process id. */
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<Ended>;
  /** Sends a signal; nothing happens when the child is gone. */
  kill(signal: Deno.Signal): void;
  /** Lets the program end before the child does. */
  unref(): void;
}

/** Child processes. */
export interface Processes {
  /**
   * Runs a command and collects its output.
   *
   * @throws {Failure} of the host when the program is not there.
   */
  capture(argv: Argv, options?: CaptureOptions): Promise<Captured>;
  /**
   * Starts a command with the given streams.
   *
   * @throws {Failure} of the host when the program is not there.
   */
  start(argv: Argv, options?: StartOptions): Child;
  /** Sends a signal to any process; false when it is gone. */
  signal(pid: number, signal: Deno.Signal): boolean;
}

/** What a path is. Sizes in bytes. */
export interface Stat {
  /** What kind of file it is. */
  readonly kind: "file" | "directory" | "symlink" | "other";
  /** Bytes. */
  readonly size: number;
  /** Permissions and type: inode(7). */
  readonly mode: number;
  /** Its owner. */
  readonly uid: number;
  /** The device that holds it. */
  readonly dev: number;
  /** Its number on that device. */
  readonly ino: number;
  /** When its content last changed. */
  readonly modified: Date | null;
  /** When it was made; null where its file system does not tell. */
  readonly born: Date | null;
}

/** The file system. Every function throws what Deno throws, but where it says otherwise. */
export interface Files {
  /** The text of a file, or null when it is not there. */
  read(path: string): Promise<string | null>;
  /** The bytes of a file, or null when it is not there. */
  readBytes(path: string): Promise<Uint8Array | null>;
  /** The last so many bytes of a file, as text, however long a stranger made it; null when it is not there. */
  readEnd(path: string, bytes: number): Promise<string | null>;
  /** Replaces a file in one step: aside, fsync, rename. Mode 0600 unless given. */
  replace(path: string, text: string, mode?: number): Promise<void>;
  /** Writes a file in place. Mode 0600 unless given. */
  write(path: string, content: string | Uint8Array, mode?: number): Promise<void>;
  /** Makes a directory and its parents; fine when it is there. Mode 0700 unless given. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Names in a directory, sorted; none when it is not there. */
  list(path: string): Promise<string[]>;
  /** What the path itself is, or null when it is not there. */
  lstat(path: string): Promise<Stat | null>;
  /** What the path leads to, or null when it is not there. */
  stat(path: string): Promise<Stat | null>;
  /** The path without symlinks, or null when it is not there. */
  real(path: string): Promise<string | null>;
  /** Where a symlink leads, as it stands there; null where there is no symlink. */
  readLink(path: string): Promise<string | null>;
  /** Removes a file or an empty directory; fine when it is not there. */
  remove(path: string): Promise<void>;
  /** Removes a tree of our own making; fine when it is not there. */
  removeTree(path: string): Promise<void>;
  /** Renames in one step, over a file that is there. */
  rename(from: string, to: string): Promise<void>;
  /** Makes a symlink. */
  symlink(target: string, path: string): Promise<void>;
  /** Sets the time of the last change to a number of milliseconds since 1970. */
  touch(path: string, time: number): Promise<void>;
  /** Sets permissions. */
  chmod(path: string, mode: number): Promise<void>;
  /** Sets the owner, by numbers. */
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** A new folder that only we can enter. */
  temporaryDirectory(prefix: string): Promise<string>;
  /** Takes a lock that ends with the process; null when another process holds it. */
  lock(path: string): Promise<Lock | null>;
}

/** A lock that is held until it is released or the process ends. */
export interface Lock {
  /** Whether a process that held it before left its file: it gave it up without a word, or was killed. */
  readonly wasLeft: boolean;
  /** Gives it up. */
  release(): void;
  /** Gives it up, and leaves no file of it. */
  remove(): Promise<void>;
}

/** Time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Waits for so many milliseconds. */
  sleep(ms: number): Promise<void>;
  /** Stands still for a few milliseconds; nothing else happens meanwhile. */
  nap(ms: number): void;
}

/** Signals to ourselves. */
export interface Signals {
  /** Calls the handler on each of the signals, until the returned function is called. */
  on(signals: readonly Deno.Signal[], handler: (signal: Deno.Signal) => void): () => void;
}

/** Our own standard streams. */
export interface Terminal {
  /** Writes to stdout; a closed pipe is not an error. */
  out(text: string): void;
  /** Writes to stderr; a closed pipe is not an error. */
  err(text: string): void;
  /** Whether the stream is a terminal. */
  is(stream: "stdin" | "stdout" | "stderr"): boolean;
  /** Asks on stderr and waits for a line on stdin; null where stdin is at its end, or when it is aborted. */
  ask(question: string, interrupt: AbortSignal): Promise<string | null>;
  /** Columns of the terminal, 80 where there is none. */
  columns(): number;
}

/** Everything outside of the program. */
export interface Host {
  /** Child processes. */
  readonly processes: Processes;
  /** The file system. */
  readonly files: Files;
  /** Time. */
  readonly clock: Clock;
  /** Signals to ourselves. */
  readonly signals: Signals;
  /** Our own standard streams. */
  readonly terminal: Terminal;
  /** Where the steps and command lines that the user asked to see go. */
  readonly log: Log;
  /** A variable of our environment. */
  env(name: string): string | undefined;
  /** Our whole environment. */
  environment(): Record<string, string>;
  /** What the host is called. */
  hostname(): string;
  /** Effective user id. */
  uid(): number;
  /** Our own process id. */
  pid(): number;
  /** The command that starts this very program again. */
  self(): Promise<Argv>;
}

/** How much is told on stderr. */
export type Verbosity = "normal" | "verbose" | "debug";

/** Messages for the person in front of it, all on stderr. */
export interface Log {
  /** How much is told; set once the command line is read. */
  verbosity: Verbosity;
  /** Always told. */
  info(message: string): void;
  /** Always told, marked as a warning. */
  warn(message: string): void;
  /** Told with -v: a step begins. */
  step(message: string): void;
  /** Told with --debug: a command line, its code and its time. */
  debug(message: string): void;
}
