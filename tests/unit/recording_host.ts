/**
 * A host for unit tests. Files are real. Processes are recorded and answered by the test, except for programs that
 * it lets run; the clock moves by sleeps alone; signals are sent by the test.
 */

import { denoFiles } from "../../src/host/files.ts";
import type {
  Argv,
  Captured,
  CaptureOptions,
  Ended,
  Host,
  Lock,
  StartOptions,
  Stat,
  Terminal,
} from "../../src/host/host.ts";
import { terminalLog } from "../../src/host/log.ts";
import { denoProcesses } from "../../src/host/processes.ts";
import { REMOVAL_SCRIPT } from "../../src/machines/end/removal.ts";
import { REMOVE_TREE_SCRIPT } from "../../src/linux/untrusted_tree.ts";

/** How a recorded process ends; by default with success and no output. */
export type Answer = Partial<Captured>;

/** The state of any executable file. */
export const PROGRAM_FILE: Stat = {
  kind: "file",
  size: 1,
  mode: 0o755,
  uid: 0,
  dev: 0,
  ino: 1,
  modified: null,
  born: null,
};

/** A lock without other holders. */
export const FREE_LOCK: Lock = {
  wasAbandoned: false,
  release() {},
  remove: () => Promise.resolve(),
};

/** What a test can change of its host. */
export interface RecordingOptions {
  /** Answers a process; undefined is success without output. It may write files, as a process would. */
  readonly answer?: (argv: Argv) => Answer | void | Promise<Answer | void>;
  /** Programs that really run. */
  readonly real?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The standard streams that are terminals. */
  readonly terminals?: readonly ("stdin" | "stdout" | "stderr")[];
  /** The answer to every question of the terminal. */
  readonly reply?: string | null | undefined;
  /** The time at the beginning, in milliseconds since 1970. */
  readonly now?: number;
  readonly uid?: number;
}

/** A process that was started or captured. */
export interface Recorded {
  readonly argv: Argv;
  readonly options: CaptureOptions | StartOptions;
}

/** A host, and what happened on it. */
export interface Recording {
  readonly host: Host;
  readonly processes: readonly Recorded[];
  /** Returns all command lines, each as one text. */
  commands(): string[];
  /** The signals that were sent to processes. */
  readonly killed: readonly { readonly pid: number; readonly signal: Deno.Signal }[];
  out(): string;
  err(): string;
  /** Sends a signal to the program. */
  send(signal: Deno.Signal): void;
  /** Returns how many signal handlers there are. */
  handlers(): number;
}

/** Returns a host for one test, with its record. */
export function recordingHost(options: RecordingOptions = {}): Recording {
  const written = { out: "", err: "" };
  const terminal = captured(written, options);
  const log = terminalLog(terminal, false);
  const processes: Recorded[] = [];
  const killed: { pid: number; signal: Deno.Signal }[] = [];
  const handlers = new Set<readonly [readonly Deno.Signal[], (signal: Deno.Signal) => void]>();
  let now = options.now ?? Date.UTC(2030, 0, 1);
  const run = async (argv: Argv, given: CaptureOptions | StartOptions): Promise<Captured> => {
    // Files are real, so they are really removed.
    if (argv[0] === "rm" || argv[2] === REMOVE_TREE_SCRIPT || argv[2] === REMOVAL_SCRIPT) {
      return await denoProcesses(log).capture(argv);
    }
    processes.push({ argv, options: given });
    if (options.real?.includes(argv[0])) {
      const { signal, stdin } = given as CaptureOptions;
      return await denoProcesses(log).capture(argv, {
        ...(signal === undefined ? {} : { signal }),
        ...(stdin === undefined || stdin === "inherit" ? {} : { stdin }),
      });
    }
    return { code: 0, signal: null, stdout: "", stderr: "", ...await options.answer?.(argv) };
  };
  // A wait that polls often would take longer than the time that it is about.
  const LEAST_NAP = 100;
  // Processes that a test starts may end meanwhile. Timers end in the order in which they began.
  const pass = (ms: number) => {
    now += ms;
    return new Promise<void>((resolve) => setTimeout(resolve));
  };
  const host: Host = {
    processes: {
      capture: (argv, given = {}) => run(argv, given),
      start(argv, given = {}) {
        if (argv.includes(REMOVAL_SCRIPT)) removeNow(argv);
        const pid = 1000 + processes.length;
        const ended: Promise<Ended> = run(argv, given).then(({ code, signal }) => ({
          code,
          signal,
        }));
        return { pid, ended, kill: (signal) => void killed.push({ pid, signal }), unref() {} };
      },
      signal(pid, signal) {
        killed.push({ pid, signal });
        return false;
      },
    },
    files: withoutEtc(denoFiles()),
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: pass,
      after: () => () => {}, // a test that needs it brings its own
      nap: (ms) => pass(Math.max(ms, LEAST_NAP)),
    },
    signals: {
      on(signals, handler) {
        const entry = [signals, handler] as const;
        handlers.add(entry);
        return () => void handlers.delete(entry);
      },
    },
    terminal,
    log,
    env: (name) => options.env?.[name],
    environment: () => ({ ...options.env }),
    hostname: () => "runner-host",
    uid: () => options.uid ?? 0,
    pid: () => 42,
    self: () => Promise.resolve(["nspawn-runner"]),
  };
  return {
    host,
    processes,
    commands: () => processes.map(({ argv }) => argv.join(" ")),
    killed,
    out: () => written.out,
    err: () => written.err,
    send(signal) {
      for (const [signals, handler] of handlers) if (signals.includes(signal)) handler(signal);
    },
    handlers: () => handlers.size,
  };
}

/** Tests may run as root: none of them may write configuration of this machine. */
function withoutEtc(files: Host["files"]): Host["files"] {
  const refuse = (path: string) => {
    if (path.startsWith("/etc/")) throw new Error(`A unit test would write ${path}`);
  };
  return {
    ...files,
    async write(path, content, mode) {
      refuse(path);
      await files.write(path, content, mode);
    },
    async replace(path, text, mode) {
      refuse(path);
      await files.replace(path, text, mode);
    },
  };
}

/** Really removes what a removal in the background would, before the test looks. */
function removeNow(argv: Argv): void {
  const args = argv.slice(argv.indexOf(REMOVAL_SCRIPT) - 1);
  new Deno.Command("sh", { args }).outputSync();
}

function captured(written: { out: string; err: string }, options: RecordingOptions): Terminal {
  let last = "";
  const write = (stream: "out" | "err", text: string) => void (written[stream] += last = text);
  return {
    out: (text) => write("out", text),
    err: (text) => write("err", text),
    async relay(pipe, stream, onOutput) {
      write(stream === "stdout" ? "out" : "err", await Deno.readTextFile(pipe));
      onOutput();
    },
    size: () => Promise.resolve({ rows: Infinity, columns: Infinity }),
    key: (interrupt) =>
      new Promise((resolve) => interrupt.addEventListener("abort", () => resolve())),
    ask(question) {
      written.err += question;
      return Promise.resolve(options.reply ?? null);
    },
    isAtLineStart: () => /(?:^|[\n\r])$/.test(last),
    is: (stream) => options.terminals?.includes(stream) ?? false,
  };
}

/** Runs a test with a folder of its own, and removes the folder afterwards. */
export async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "nspawn-runner-unit-" }));
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
