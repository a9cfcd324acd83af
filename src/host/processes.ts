/** Child processes, through Deno. */

import { hostFailure, messageOf } from "../failure.ts";
import type {
  Argv,
  Captured,
  CaptureOptions,
  Child,
  Log,
  Processes,
  StartOptions,
} from "./host.ts";
import { installHint } from "./packages.ts";
import { quoteAll } from "../text/quote.ts";

/** Returns the processes of this machine; each command line is logged with `--debug`. */
export function denoProcesses(log: Log): Processes {
  return {
    capture: (argv, options = {}) => capture(log, argv, options),
    start: (argv, options = {}) => start(log, argv, options),
    signal: sendSignal,
  };
}

async function capture(log: Log, argv: Argv, options: CaptureOptions): Promise<Captured> {
  const began = performance.now();
  const child = spawn(argv, {
    ...environment(options.env),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const writing = options.stdin === undefined ? undefined : writeInput(child, options.stdin);
  const output = await child.output();
  await writing;
  logEnd(log, argv, output.code, began);
  const decoder = new TextDecoder();
  return {
    code: output.code,
    signal: output.signal,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

function start(log: Log, argv: Argv, options: StartOptions): Child {
  const began = performance.now();
  const { onOutput } = options;
  const piped = options.relay || onOutput !== undefined;
  const child = spawn(argv, {
    ...environment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.detached ? { detached: true } : {}),
    stdin: options.stdin ?? "null",
    stdout: piped ? "piped" : options.stdout ?? "inherit",
    stderr: piped ? "piped" : options.stderr ?? "inherit",
  });
  const relayed = piped
    ? Promise.all([
      relay(child.stdout, onOutput ?? writerTo(Deno.stdout)),
      relay(child.stderr, onOutput ?? writerTo(Deno.stderr)),
    ])
    : undefined;
  const ended = child.status.then(async ({ code, signal }) => {
    await relayed;
    logEnd(log, argv, code, began);
    return { code, signal };
  });
  return {
    pid: child.pid,
    ended,
    kill: (signal) => void sendSignal(child.pid, signal),
    unref: () => child.unref(),
  };
}

async function relay(
  from: ReadableStream<Uint8Array>,
  onOutput: (piece: Uint8Array) => void,
): Promise<void> {
  for await (const piece of from) onOutput(piece);
}

function writerTo(stream: typeof Deno.stdout): (piece: Uint8Array) => void {
  return (piece) => {
    for (let at = 0; at < piece.length;) at += stream.writeSync(piece.subarray(at));
  };
}

function spawn(argv: Argv, options: Deno.CommandOptions): Deno.ChildProcess {
  const [program, ...args] = argv;
  try {
    return new Deno.Command(program, { ...options, args }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw hostFailure(`Cannot run ${program}: not found`, hintFor(program), error);
    }
    throw hostFailure(`Cannot run ${quoteAll(argv)}: ${messageOf(error)}`, undefined, error);
  }
}

/** A job's variables, which are secret and may take megabytes, are for no tool. */
function environment(env: CaptureOptions["env"]): Deno.CommandOptions {
  return { env: env === undefined ? ownEnvironment() : { ...env }, clearEnv: true };
}

function ownEnvironment(): Record<string, string> {
  const own: Record<string, string> = { LANG: "C.UTF-8" };
  for (const name of ["PATH", "HOME", "TMPDIR"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) own[name] = value;
  }
  return own;
}

async function writeInput(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // A child may end before it has read all its input.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function sendSignal(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch (error) {
    // Not every version of Deno has an error class for ESRCH.
    if (error instanceof Deno.errors.NotFound || /ESRCH|No such process/.test(messageOf(error))) {
      return false;
    }
    if (error instanceof TypeError && /terminated/.test(messageOf(error))) return false;
    throw error;
  }
}

function logEnd(log: Log, argv: Argv, code: number, began: number): void {
  log.debug(`${quoteAll(argv)} → ${code} in ${Math.round(performance.now() - began)} ms`);
}

function hintFor(program: string): string | undefined {
  try {
    return installHint(program, Deno.readTextFileSync("/etc/os-release"));
  } catch {
    return undefined; // the failure itself is more important
  }
}
