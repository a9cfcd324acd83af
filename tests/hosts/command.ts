/** Commands that the tests run, with all that they said. */

/** How a command ended. */
export interface Result {
  /** 128 + n after a signal, as Deno and shells count. */
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Stdout as it came. */
  readonly bytes: Uint8Array;
}

/** How a command is run. */
export interface Options {
  /** Its environment, on top of a plain one. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Ends it with SIGKILL after so many milliseconds; default 5 min. */
  readonly timeout?: number;
}

/** A command that runs, the leader of a process group and session of its own. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Result>;
  /** Waits until its stdout or stderr has that text; fails when it ends without it. */
  said(text: string): Promise<void>;
}

/** For a machine that is slow and busy: what hangs is found, what is slow is not. */
const PATIENCE = 300_000;

/**
 * Starts a command.
 *
 * @param argv Its words.
 * @param options How; `env` is its whole environment when given.
 * @returns The running command.
 */
export function start(argv: readonly string[], options: Options = {}): Running {
  const [program, ...args] = argv;
  const child = new Deno.Command(program!, {
    args,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env, clearEnv: true }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const timer = setTimeout(() => killGroup(child.pid, "SIGKILL"), options.timeout ?? PATIENCE);
  const listeners = new Set<() => void>();
  const out = collect(child.stdout, listeners);
  const err = collect(child.stderr, listeners);
  const ended = (async () => {
    const [{ code, signal }] = await Promise.all([
      child.status,
      out.done,
      err.done,
      feed(child, options.stdin),
    ]);
    clearTimeout(timer);
    return { code, signal, stdout: out.text(), stderr: err.text(), bytes: out.bytes() };
  })();
  return {
    pid: child.pid,
    ended,
    said: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (out.text().includes(text) || err.text().includes(text)) resolve();
        };
        listeners.add(look);
        look();
        ended.then((result) =>
          reject(new Error(`${argv.join(" ")} ended with ${result.code} and never said ${text}`))
        );
      }),
  };
}

/**
 * Runs a command to its end.
 *
 * @param argv Its words.
 * @param options How; `env` is its whole environment when given.
 * @returns How it ended.
 */
export function run(argv: readonly string[], options: Options = {}): Promise<Result> {
  return start(argv, options).ended;
}

/**
 * Runs a command that must succeed.
 *
 * @param argv Its words.
 * @param options How.
 * @returns Its stdout without the last line break.
 * @throws {Error} with all it said, when it fails.
 */
export async function must(argv: readonly string[], options: Options = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout.trimEnd();
}

/** Returns how long an action took, in milliseconds. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/**
 * Sends a signal to a process group; fine when it is gone.
 *
 * @param group Its leader's pid.
 * @param signal Which.
 */
export function killGroup(group: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-group, signal);
  } catch {
    // It ended by itself.
  }
}

async function feed(child: Deno.ChildProcess, text: string | undefined): Promise<void> {
  if (text === undefined) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It need not read all that it is given.
  }
}

function collect(stream: ReadableStream<Uint8Array>, listeners: ReadonlySet<() => void>) {
  const pieces: Uint8Array[] = [];
  const bytes = () => {
    const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  };
  const done = (async () => {
    for await (const piece of stream) {
      pieces.push(piece);
      for (const listener of listeners) listener();
    }
  })();
  return { done, bytes, text: () => new TextDecoder().decode(bytes()) };
}
