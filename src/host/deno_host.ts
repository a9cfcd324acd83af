/** The host of the real program: this machine, through Deno. */

import { fromFileUrl } from "@std/path/posix";
import { denoFiles } from "./files.ts";
import type { Argv, Host, Signals, Terminal } from "./host.ts";
import { refused } from "../failure.ts";
import { terminalLog } from "./log.ts";
import { denoProcesses } from "./processes.ts";

/**
 * The umask of this process and of its children. With a stricter one of the caller, only root could enter the root
 * directory of a machine and read the files of its scripts. Secrets have modes of their own.
 */
const UMASK = 0o022;

/** Returns the host on which this process runs. */
export function denoHost(): Host {
  Deno.umask(UMASK);
  const terminal = denoTerminal();
  const log = terminalLog(terminal, terminal.is("stderr") && !Deno.env.get("NO_COLOR"));
  return {
    processes: denoProcesses(log),
    files: denoFiles(),
    clock: {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      sleep,
      after(ms, call) {
        const timer = setTimeout(call, Math.min(ms, LONGEST_TIMER));
        return () => clearTimeout(timer);
      },
      nap,
    },
    signals: denoSignals(),
    terminal,
    log,
    env: readVariable,
    environment: () => Deno.env.toObject(),
    hostname: () => Deno.hostname(),
    uid: () => Deno.uid() ?? -1,
    pid: () => Deno.pid,
    self,
  };
}

/** @throws {Failure} where its value is not UTF-8, of which Deno says no name. */
function readVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    throw refused(
      `Cannot read variable ${name}: it is not UTF-8`,
      `Set it anew, or without it: env --unset=${name} nspawn-runner doctor`,
      error,
    );
  }
}

/** In milliseconds; setTimeout() calls at once after a longer time. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Unlike setTimeout(), it loads no timers, which would take longer than the nap. */
async function nap(ms: number): Promise<void> {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  await Deno.lstat("/"); // any call of another thread lets this one handle events
}

/** Unlike setTimeout(), it loads timers in a millisecond. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    AbortSignal.timeout(ms).addEventListener("abort", () => resolve(), { once: true });
  });
}

function denoTerminal(): Terminal {
  const encoder = new TextEncoder();
  const streams = { stdin: Deno.stdin, stdout: Deno.stdout, stderr: Deno.stderr };
  let last = LINE_FEED;
  const writeBytes = (stream: typeof Deno.stdout, bytes: Uint8Array) => {
    last = bytes.at(-1) ?? last;
    return writeAll(stream, bytes);
  };
  const write = (stream: typeof Deno.stdout, text: string) => {
    writeBytes(stream, encoder.encode(text));
  };
  return {
    out: (text) => write(Deno.stdout, text),
    err: (text) => write(Deno.stderr, text),
    async relay(pipe, stream, onOutput) {
      using file = await Deno.open(pipe);
      const buffer = new Uint8Array(RELAY_SIZE);
      for (;;) {
        const count = await file.read(buffer);
        if (count === null || !writeBytes(streams[stream], buffer.subarray(0, count))) return;
        onOutput();
      }
    },
    size: async () => (await person()).terminalSize(),
    key: async (interrupt) => (await person()).key(interrupt),
    async ask(question, interrupt) {
      write(Deno.stderr, question);
      return (await person()).answer(interrupt);
    },
    isAtLineStart: () => last === LINE_FEED || last === CARRIAGE_RETURN,
    is: (stream) => streams[stream].isTerminal(),
  };
}

/** No call of a job waits for a person, and loads what does. */
const person = () => import("./person.ts");

const LINE_FEED = "\n".charCodeAt(0);
const CARRIAGE_RETURN = "\r".charCodeAt(0);

/** The size of a pipe's buffer: pipe(7). */
const RELAY_SIZE = 65_536;

/** Returns false where nobody reads the stream any more. */
function writeAll(stream: typeof Deno.stdout, bytes: Uint8Array): boolean {
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

function denoSignals(): Signals {
  return {
    on(signals, handler) {
      const listeners = signals.map((signal) => [signal, () => handler(signal)] as const);
      for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
      return () => {
        for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
      };
    },
  };
}

async function self(): Promise<Argv> {
  if (Deno.build.standalone) return [Deno.execPath()];
  const main = await Deno.realPath(fromFileUrl(Deno.mainModule));
  const { mode } = await Deno.stat(main);
  // The installed program is executable, and starts its Deno itself; a module of a checkout is not.
  if (((mode ?? 0) & 0o111) !== 0) return [main];
  return [Deno.execPath(), "run", "--allow-all", main];
}
