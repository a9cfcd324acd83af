/** Timing: one command from its start until it and its pipes are at their end. */

/** A command that ended, with the time it took. */
export interface Timed {
  readonly ms: number;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command gets. */
export interface Given {
  /** Its whole environment; ours when absent. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Text on its stdin; /dev/null when absent. */
  readonly stdin?: string;
}

/**
 * Runs a command as GitLab Runner runs drivers, in a process group of its own and with its output
 * read until the last holder of the pipes is gone.
 *
 * @param argv Its words.
 * @param given What it gets.
 * @returns How it ended, and the time from before its start until after its end.
 */
export async function timed(argv: readonly string[], given: Given = {}): Promise<Timed> {
  const [program = "", ...args] = argv;
  const began = performance.now();
  const child = new Deno.Command(program, {
    args,
    ...(given.env === undefined ? {} : { env: { ...given.env }, clearEnv: true }),
    ...(given.cwd === undefined ? {} : { cwd: given.cwd }),
    stdin: given.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  if (given.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(given.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const ms = performance.now() - began;
  const decoder = new TextDecoder();
  return { ms, code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * Like {@linkcode timed}, for a command that must succeed: no number of a failure enters a median.
 *
 * @param argv Its words.
 * @param given What it gets.
 * @returns What it printed and its time.
 * @throws {Error} with all that it said.
 */
export async function succeed(argv: readonly string[], given: Given = {}): Promise<Timed> {
  const ended = await timed(argv, given);
  if (ended.code === 0) return ended;
  throw new Error(
    `${argv.join(" ")} ended with ${ended.code}\n${ended.stdout}${ended.stderr}`.trim(),
  );
}

/**
 * A pause before each time that is taken. GitLab Runner's calls do not come back to back either; when
 * they do, processors and daemons are still awake from the last one, and the shortest commands seem
 * to take half of what they take in a job.
 */
export function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

/** Times of one thing, in milliseconds. */
export class Samples {
  readonly #times = new Map<string, number[]>();

  /** Adds times under a name. */
  add(name: string, ...times: readonly number[]): void {
    this.#times.set(name, [...(this.#times.get(name) ?? []), ...times]);
  }

  /** All times of a name, in the order in which they were taken. */
  of(name: string): readonly number[] {
    return this.#times.get(name) ?? [];
  }

  /** The names that have times. */
  names(): string[] {
    return [...this.#times.keys()];
  }
}

/**
 * A quantile.
 *
 * @param times Any order; at least one.
 * @param share 0.5 for the median.
 * @returns Interpolated between neighbours.
 */
export function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}
