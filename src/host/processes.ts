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

/**
 * Child processes by `Deno.Command`.
 *
 * @param log Where `--debug` shows each command line with its code and time.
 * @returns The real processes.
 */
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
  const feeding = options.stdin === undefined ? undefined : feed(child, options.stdin);
  const output = await child.output();
  await feeding;
  told(log, argv, output.code, began);
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
  const child = spawn(argv, {
    ...environment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.detached ? { detached: true } : {}),
    stdin: options.stdin ?? "null",
    stdout: options.stdout ?? "inherit",
    stderr: options.stderr ?? "inherit",
  });
  const ended = child.status.then(({ code, signal }) => {
    told(log, argv, code, began);
    return { code, signal };
  });
  return {
    pid: child.pid,
    ended,
    kill: (signal) => void sendSignal(child.pid, signal),
    unref: () => child.unref(),
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

function environment(env: CaptureOptions["env"]): Deno.CommandOptions {
  return env === undefined ? {} : { env: { ...env }, clearEnv: true };
}

async function feed(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // A child may end without reading all of its input.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function sendSignal(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch (error) {
    // ESRCH has no class of its own in every Deno version.
    if (error instanceof Deno.errors.NotFound || /ESRCH|No such process/.test(messageOf(error))) {
      return false;
    }
    if (error instanceof TypeError && /terminated/.test(messageOf(error))) return false;
    throw error;
  }
}

function told(log: Log, argv: Argv, code: number, began: number): void {
  log.debug(`${quoteAll(argv)} → ${code} in ${Math.round(performance.now() - began)} ms`);
}

function hintFor(program: string): string | undefined {
  try {
    return installHint(program, Deno.readTextFileSync("/etc/os-release"));
  } catch {
    return undefined; // a hint is worth no second error
  }
}
