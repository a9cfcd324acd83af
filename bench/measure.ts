/** Measures the duration of commands. */

/** The result of a command, with its duration. */
export interface Timed {
  readonly ms: number;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of a command. */
export interface CommandOptions {
  /** Its whole environment; by default that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Text on its stdin; by default /dev/null. */
  readonly stdin?: string;
}

/**
 * Runs a command as GitLab Runner runs drivers: in its own process group, until every process that holds its pipes has
 * ended. The duration includes its start.
 */
export async function timed(argv: readonly string[], options: CommandOptions = {}): Promise<Timed> {
  const [program = "", ...args] = argv;
  const began = performance.now();
  const child = new Deno.Command(program, {
    args,
    ...(options.env === undefined ? {} : { env: { ...options.env }, clearEnv: true }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const ms = performance.now() - began;
  const decoder = new TextDecoder();
  return { ms, code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * Runs a command like {@linkcode timed}; it must succeed, since durations of failures say nothing.
 *
 * @throws {Error} with its output when it fails.
 */
export async function succeed(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<Timed> {
  const ended = await timed(argv, options);
  if (ended.code === 0) return ended;
  throw new Error(
    `${argv.join(" ")} ended with ${ended.code}\n${ended.stdout}${ended.stderr}`.trim(),
  );
}

/**
 * Pauses after each measurement. GitLab Runner's calls do not come back to back; if they did, processors and daemons
 * would still be awake, and the shortest commands would take half of their time in a job.
 */
export function pause(): Promise<void> {
  return sleep(50);
}

/** Waits until what the end of a machine left to be done in the background is finished. */
export function settle(): Promise<void> {
  return sleep(300);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
