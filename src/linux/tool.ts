/** Long-running programs that make or change a tree, and that never outlive us. */

import { hostFailure, refused } from "../failure.ts";
import type { Argv, Child, Host } from "../host/host.ts";
import { installHint } from "../host/packages.ts";
import { quoteAll } from "../text/quote.ts";
import { until } from "./wait.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Variables of our environment that a tool needs to reach its mirror. */
const PROXIES = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"]
  .flatMap((name) => [name, name.toUpperCase()]);

/**
 * A tool's environment: where programs and the network are, and nothing of a job's.
 *
 * @param host The outside.
 * @param more What this tool needs besides.
 * @returns The whole environment.
 */
export function toolEnvironment(
  host: Host,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const env: Record<string, string> = {
    PATH,
    HOME: "/root",
    LANG: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
    ...more,
  };
  for (const name of PROXIES) {
    const value = host.env(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The kernel ends the tool with us, even when we are killed. */
const BOUND = ["setpriv", "--pdeathsig=KILL", "--"] as const;

/**
 * Namespaces of the tool's own. What it mounts is seen by itself alone, so that a removal never walks
 * into the host's /proc; and all that it started ends with its first process.
 */
const CONFINED = [
  "unshare",
  "--mount",
  "--propagation=private",
  "--pid",
  "--mount-proc",
  "--kill-child=KILL",
  "--",
] as const;

/** Its stdout is no result of ours. */
export const TO_STDERR_SCRIPT = 'exec "$@" >&2';

const TO_STDERR = ["sh", "-c", TO_STDERR_SCRIPT, "sh"] as const;

/** How a tool is kept. */
export interface ToolOptions {
  /** False for a tool that has to tell processes of its own to the host's systemd. */
  readonly confined?: boolean;
}

/**
 * Runs a tool to its end; what it says goes to stderr.
 *
 * @param host The outside.
 * @param argv The tool.
 * @param more Variables that it needs besides the usual ones.
 * @param interrupt Ends it, with all that it started, when aborted.
 * @param options How it is kept.
 * @throws {Failure} of the host where it fails, or was interrupted.
 */
export async function runTool(
  host: Host,
  argv: Argv,
  more: Readonly<Record<string, string>>,
  interrupt: AbortSignal,
  { confined = true }: ToolOptions = {},
): Promise<void> {
  if (interrupt.aborted) throw interrupted(argv);
  const child = host.processes.start(
    [...BOUND, ...(confined ? CONFINED : []), ...TO_STDERR, ...argv],
    // In a session of its own, Ctrl-C is for us alone, and no tool asks the terminal a question.
    { env: toolEnvironment(host, more), cwd: "/", detached: true },
  );
  let killing: Promise<void> | undefined;
  const kill = () => killing = confined ? killConfined(host, child) : killGroup(host, child);
  interrupt.addEventListener("abort", kill);
  const { code } = await child.ended;
  interrupt.removeEventListener("abort", kill);
  await killing;
  if (interrupt.aborted) throw interrupted(argv);
  if (code !== 0) throw hostFailure(`Cannot run ${quoteAll(argv)}: it ended with ${code}`);
}

function interrupted([program]: Argv): Error {
  return hostFailure(`Cannot run ${program}: interrupted`);
}

/** The end of its first process is the end of all, and that is only known when it is gone itself. */
async function killConfined(host: Host, child: Child): Promise<void> {
  const children = `/proc/${child.pid}/task/${child.pid}/children`;
  const { stdout } = await host.processes.capture(["cat", children]);
  child.kill("SIGKILL"); // the kernel passes it on to the first process
  const pids = stdout.split(" ").filter((word) => word !== "").map(Number);
  await until(host, { timeout: KILL_TIMEOUT, interval: 25 }, () => {
    return !pids.some((pid) => host.processes.signal(pid, "SIGKILL"));
  });
}

/** Longest wait for killed processes to be gone, in milliseconds: their reaper may be slow. */
const KILL_TIMEOUT = 3000;

/** Asks first: a killed nspawn leaves its machine registered, and mounts that nobody undoes. */
async function killGroup(host: Host, child: Child): Promise<void> {
  const group = -child.pid;
  host.processes.signal(group, "SIGTERM");
  const hasEnded = await until(host, { timeout: KILL_TIMEOUT, interval: 50 }, () => {
    return !host.processes.signal(group, "SIGCONT"); // it does nothing but tell whether the group exists
  });
  if (!hasEnded) host.processes.signal(group, "SIGKILL");
}

/**
 * Whether a tool finds a program.
 *
 * @param host The outside.
 * @param program Its name.
 * @returns True where a folder of its PATH has it.
 */
export async function hasProgram(host: Host, program: string): Promise<boolean> {
  for (const folder of PATH.split(":")) {
    if ((await host.files.stat(`${folder}/${program}`))?.kind === "file") return true;
  }
  return false;
}

/**
 * Refuses where none of some programs is there, before anything is begun.
 *
 * @param host The outside.
 * @param programs Their names, best first.
 * @returns The first that is there.
 * @throws {Failure} that names the package of the best.
 */
export async function requireProgram<Program extends string>(
  host: Host,
  ...programs: readonly [Program, ...Program[]]
): Promise<Program> {
  for (const program of programs) if (await hasProgram(host, program)) return program;
  const hint = installHint(programs[0], await host.files.read("/etc/os-release") ?? "");
  throw refused(`Cannot run ${programs.join(" or ")}: not found`, hint);
}
