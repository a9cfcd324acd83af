/** Commands that the tests run, with their output. */

/** The result of a command. */
export interface Result {
  /** 128 + n after the signal n, as in shells. */
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Stdout, not decoded. */
  readonly bytes: Uint8Array;
}

/** Options of a command. */
export interface Options {
  /** Its whole environment for {@linkcode start}; added to a plain one on a host. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Milliseconds after which it is killed; default 5 min. */
  readonly timeout?: number;
}

/** A running command, the leader of its own process group and session. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Result>;
  /** Waits until its stdout or stderr contains a text; fails if it ends without. */
  untilPrinted(text: string): Promise<void>;
}

/** In milliseconds; long enough for a slow and busy machine, so that only what hangs is killed. */
const TIMEOUT = 300_000;

/** Starts a command. */
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
  const timer = setTimeout(() => killGroup(child.pid, "SIGKILL"), options.timeout ?? TIMEOUT);
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
    untilPrinted: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (out.text().includes(text) || err.text().includes(text)) resolve();
        };
        listeners.add(look);
        look();
        ended.then((result) =>
          reject(new Error(`${argv.join(" ")} ended with ${result.code} and never printed ${text}`))
        );
      }),
  };
}

/** Runs a command to its end. */
export function run(argv: readonly string[], options: Options = {}): Promise<Result> {
  return start(argv, options).ended;
}

/**
 * Runs a command that must succeed.
 *
 * @returns Its stdout without the last line break.
 * @throws {Error} with its output when it fails.
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

/** Sends a signal to the process group `group`, if it still exists. */
export function killGroup(group: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-group, signal);
  } catch {
    // It has already ended.
  }
}

async function feed(child: Deno.ChildProcess, text: string | undefined): Promise<void> {
  if (text === undefined) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It may exit before it has read everything.
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
