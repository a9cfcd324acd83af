/** The interface through which the program touches the host: processes, files, clock, signals, terminal. */

/** A command line, as a list of words that no shell interprets. */
export type Argv = readonly [string, ...string[]];

/** Where a standard stream of a child process goes. */
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
  /** Whether stdout and stderr of the child are pipes to those of this process, so that it does not get a terminal. */
  readonly relay?: boolean;
  /** Gets what the child writes to stdout and stderr, which are pipes then. */
  readonly onOutput?: (piece: Uint8Array) => void;
  /** Starts the child in a session of its own, which signals to this process's group do not reach. */
  readonly detached?: boolean;
}

/** How a child ended. */
export interface Ended {
  /** Exit code; 128 + n after a signal. */
  readonly code: number;
  /** The signal that ended the child; null for none. */
  readonly signal: string | null;
}

/** How a child ended, with its output. */
export interface Captured extends Ended {
  /** Its output. */
  readonly stdout: string;
  /** Its messages. */
  readonly stderr: string;
}

/** A running child process. */
export interface Child {
  /** Its process id. */
  readonly pid: number;
  /** Resolves when the child has ended. */
  readonly ended: Promise<Ended>;
  /** Sends a signal; does nothing when the child has ended. */
  kill(signal: Deno.Signal): void;
  /** Lets this program end before the child. */
  unref(): void;
}

/** Child processes. */
export interface Processes {
  /**
   * Runs a command and collects its output.
   *
   * @throws {Failure} of the host where the program is not installed.
   */
  capture(argv: Argv, options?: CaptureOptions): Promise<Captured>;
  /**
   * Starts a command with the given streams.
   *
   * @throws {Failure} of the host where the program is not installed.
   */
  start(argv: Argv, options?: StartOptions): Child;
  /** Sends a signal to any process, or to the group of a negative id; returns false where there is none. */
  signal(pid: number, signal: Deno.Signal): boolean;
}

/** The metadata of a file. */
export interface Stat {
  /** Type of the file. */
  readonly kind: "file" | "directory" | "symlink" | "other";
  /** Bytes. */
  readonly size: number;
  /** Permissions and type: inode(7). */
  readonly mode: number;
  /** User id of the owner. */
  readonly uid: number;
  /** Device number. */
  readonly dev: number;
  /** Inode number. */
  readonly ino: number;
  /** When its content was last changed. */
  readonly modified: Date | null;
  /** When it was created; null where the file system does not record that. */
  readonly born: Date | null;
}

/** The file system. Functions throw the errors of Deno for all cases that their comments do not name. */
export interface Files {
  /** Reads a file; null where it does not exist. */
  read(path: string): Promise<string | null>;
  /** Reads a file; null where it does not exist. */
  readBytes(path: string): Promise<Uint8Array | null>;
  /** Reads what comes out of a named pipe until no process has it open for writing. */
  readPipe(path: string): Promise<string>;
  /** Reads the first bytes of a file of any length; null where it does not exist. */
  readStart(path: string, bytes: number): Promise<Uint8Array | null>;
  /** Reads the last bytes of a file of any length; null where it does not exist. */
  readEnd(path: string, bytes: number): Promise<string | null>;
  /** Replaces a file atomically, with fsync and rename. Default mode: 0600. */
  replace(path: string, text: string, mode?: number): Promise<void>;
  /** Replaces a file atomically, but without fsync: after a crash of the host it may be empty. Its mode is 0600. */
  replaceVolatile(path: string, text: string): Promise<void>;
  /** Writes a file in place. Default mode: 0600. */
  write(path: string, content: string | Uint8Array, mode?: number): Promise<void>;
  /**
   * Appends to a file by one call of write(2), so that the texts of several processes do not mix.
   *
   * @param mode Of a file that is created; without it, a file that does not exist stays so.
   * @returns False where the file, or its folder, does not exist.
   */
  append(path: string, text: string, mode?: number): Promise<boolean>;
  /** Creates a directory and its parents where they do not exist. Default mode: 0700. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Returns the sorted names in a directory; none where it does not exist. */
  list(path: string): Promise<string[]>;
  /** Returns the metadata of a path, or of the symlink itself; null where it does not exist. */
  lstat(path: string): Promise<Stat | null>;
  /** Returns the metadata of a path, or of a symlink's target; null where it does not exist. */
  stat(path: string): Promise<Stat | null>;
  /** Returns the path without symlinks; null where it does not exist. */
  real(path: string): Promise<string | null>;
  /** Returns the text of a symlink; null where the path is no symlink. */
  readLink(path: string): Promise<string | null>;
  /** Removes a file or an empty directory where it exists. */
  remove(path: string): Promise<void>;
  /** Removes a tree that only this program wrote to, where it exists. */
  removeTree(path: string): Promise<void>;
  /** Renames a file or directory atomically, over an existing file. */
  rename(from: string, to: string): Promise<void>;
  /** Creates a symlink. */
  symlink(target: string, path: string): Promise<void>;
  /** Creates a second name of a file, on the same file system. */
  link(from: string, to: string): Promise<void>;
  /** Sets the time of the last change, in milliseconds since 1970. */
  touch(path: string, time: number): Promise<void>;
  /** Sets the permissions. */
  chmod(path: string, mode: number): Promise<void>;
  /** Sets the owner and the group. */
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** Creates a new folder that only this user can enter. */
  temporaryDirectory(prefix: string): Promise<string>;
  /**
   * Takes a lock that ends with this process; null where another process holds it.
   *
   * @param purpose What the lock's file tells after this process's id, in one line.
   */
  lock(path: string, purpose?: string): Promise<Lock | null>;
  /** Opens a named pipe to write to it, without waiting for a reader. */
  openPipe(path: string): Promise<Pipe>;
}

/** A named pipe. What is written waits in it for a reader, until it is closed. */
export interface Pipe {
  /** Writes less than a page; does not block the process. */
  write(text: string): Promise<void>;
  /** Closes it; may be called again. */
  close(): void;
}

/** A lock that this process holds until it releases it or ends. */
export interface Lock {
  /** Whether an earlier holder left the file: it was killed, or kept the file on purpose. */
  readonly wasAbandoned: boolean;
  /** Releases the lock and leaves its file. */
  release(): void;
  /** Releases the lock and removes its file. */
  remove(): Promise<void>;
}

/** Time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment: a change of the host's time does not change it. */
  monotonic(): number;
  /** Waits without blocking the process. */
  sleep(ms: number): Promise<void>;
  /** Calls a function once after that time, unless the returned function is called before. */
  after(ms: number, call: () => void): () => void;
  /** Blocks the whole process for a few milliseconds; then what happened meanwhile is handled, such as signals. */
  nap(ms: number): Promise<void>;
}

/** Signals to this process. */
export interface Signals {
  /** Calls the handler on each of the signals, until the returned function is called. */
  on(signals: readonly Deno.Signal[], handler: (signal: Deno.Signal) => void): () => void;
}

/** The size of a terminal. */
export interface TerminalSize {
  /** Lines. */
  readonly rows: number;
  /** Characters of a line. */
  readonly columns: number;
}

/** The standard streams of this process. */
export interface Terminal {
  /** Writes to stdout; a closed pipe is not an error. */
  out(text: string): void;
  /** Writes to stderr; a closed pipe is not an error. */
  err(text: string): void;
  /**
   * Copies what comes out of a named pipe to a stream, until all writers have closed it, or nobody reads the stream.
   *
   * @param onOutput Called after each piece.
   */
  relay(pipe: string, stream: "stdout" | "stderr", onOutput: () => void): Promise<void>;
  /** Returns whether the next text on stdout or stderr begins a line, as far as this process wrote to them. */
  isAtLineStart(): boolean;
  /** Returns whether a stream is a terminal. */
  is(stream: "stdin" | "stdout" | "stderr"): boolean;
  /** Returns the lines and columns of the terminal, as it is at this moment; infinite where it does not tell. */
  size(): Promise<TerminalSize>;
  /** Waits until a key is pressed on the terminal of stdin, which does not show it, or until aborted. */
  key(interrupt: AbortSignal): Promise<void>;
  /** Asks on stderr and waits for a line on stdin; null at the end of stdin, or when aborted. */
  ask(question: string, interrupt: AbortSignal): Promise<string | null>;
}

/** The host, as the program sees it. */
export interface Host {
  /** Child processes. */
  readonly processes: Processes;
  /** The file system. */
  readonly files: Files;
  /** Time. */
  readonly clock: Clock;
  /** Signals to this process. */
  readonly signals: Signals;
  /** The standard streams of this process. */
  readonly terminal: Terminal;
  /** Messages for the user. */
  readonly log: Log;
  /** Returns a variable of this process's environment. */
  env(name: string): string | undefined;
  /** Returns the whole environment of this process. */
  environment(): Record<string, string>;
  /** Returns the host's name. */
  hostname(): string;
  /** Returns the effective user id of this process. */
  uid(): number;
  /** Returns the id of this process. */
  pid(): number;
  /** Returns the command that starts this program again. */
  self(): Promise<Argv>;
}

/** How much is logged. */
export type Verbosity = "normal" | "verbose" | "debug";

/** Messages for the user, all on stderr. */
export interface Log {
  /** Set once the command line is read. */
  verbosity: Verbosity;
  /** Always logged. */
  info(message: string): void;
  /** Always logged, in colour on a terminal. */
  warn(message: string): void;
  /** Logged with -v: a step begins. */
  step(message: string): void;
  /** Logged with --debug: a command line, its exit code and its duration. */
  debug(message: string): void;
}
