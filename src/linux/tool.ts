/** Runs the long-running programs that build or change a tree, and that never outlive this process. */

import { hostFailure, refused } from "../failure.ts";
import type { Argv, Child, Host } from "../host/host.ts";
import { installHint } from "../host/packages.ts";
import { quoteAll } from "../text/quote.ts";
import { until } from "./wait.ts";

/** The folders of tools; those of the PATH of the caller may be in a working copy. */
export const TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Environment variables that a tool needs to reach its mirror. */
const PROXIES = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"]
  .flatMap((name) => [name, name.toUpperCase()]);

/** Returns the whole environment of a tool, without any variables of a job. */
export function toolEnvironment(
  host: Host,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const env: Record<string, string> = {
    PATH: TOOL_PATH,
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

/** Runs a command unless its parent, the process $0, ended before setpriv asked the kernel for the signal. */
export const LIVING_PARENT_SCRIPT = '[ "$PPID" = "$0" ] && exec "$@"';

/** The kernel kills the tool when this process ends, however it ends. */
function dieWithParent(host: Host): Argv {
  return ["setpriv", "--pdeathsig=KILL", "--", "sh", "-c", LIVING_PARENT_SCRIPT, `${host.pid()}`];
}

/**
 * Namespaces of the tool's own: its mounts are invisible outside, so that a removal of the tree never enters the
 * host's /proc; and its child processes end with it.
 */
const OWN_NAMESPACES = [
  "unshare",
  "--mount",
  "--propagation=slave",
  "--pid",
  "--mount-proc",
  "--kill-child=KILL",
  "--",
] as const;

/** Sends a tool's output to stderr: stdout is for results of this program. */
export const TO_STDERR_SCRIPT = 'exec "$@" >&2';

const TO_STDERR = ["sh", "-c", TO_STDERR_SCRIPT, "sh"] as const;

/**
 * Passes a tool's output on to stderr through a pipe, and exits with the tool's code: the tool could read from a
 * terminal, or truncate a file, that it has as its stderr, and change the host's /dev/null that it has as its stdin.
 */
export const THROUGH_PIPE_SCRIPT = `
exec 4>&2
code=$({ { : | "$@" 2>&1 3>&- 4>&-; echo $? >&3; } | cat >&4; } 3>&1)
exit "$code"
`;

const THROUGH_PIPE = ["sh", "-c", THROUGH_PIPE_SCRIPT, "sh"] as const;

/** How a tool runs. */
export interface ToolOptions {
  /** Whether the tool has its own namespaces; false for one that enters a machine by its process id. */
  readonly confined?: boolean;
  /** Whether the tool does not get this process's stderr, but a pipe. */
  readonly piped?: boolean;
}

/**
 * Runs a tool until it has ended; its output goes to stderr.
 *
 * @param more Environment variables in addition to those of {@linkcode toolEnvironment}.
 * @param interrupt Ends the tool and its child processes when aborted.
 * @throws {Failure} of the host where the tool fails or is interrupted.
 */
export async function runTool(
  host: Host,
  argv: Argv,
  more: Readonly<Record<string, string>>,
  interrupt: AbortSignal,
  { confined = true, piped = false }: ToolOptions = {},
): Promise<void> {
  if (interrupt.aborted) throw interrupted(argv);
  const child = host.processes.start(
    [
      ...dieWithParent(host),
      ...(confined ? OWN_NAMESPACES : []),
      ...(piped ? THROUGH_PIPE : TO_STDERR),
      ...argv,
    ],
    // In a session of its own, a tool gets no Ctrl-C, and cannot ask the terminal a question.
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

/** Kills PID 1 of the tool's namespace, with which the kernel kills all its processes, and waits until it is gone. */
async function killConfined(host: Host, child: Child): Promise<void> {
  const children = `/proc/${child.pid}/task/${child.pid}/children`;
  const { stdout } = await host.processes.capture(["cat", children]);
  child.kill("SIGKILL"); // --kill-child passes it on to PID 1
  const pids = stdout.split(" ").filter((word) => word !== "").map(Number);
  await until(host, { timeout: KILL_TIMEOUT, interval: 25 }, () => {
    return !pids.some((pid) => host.processes.signal(pid, "SIGKILL"));
  });
}

/** Longest wait for killed processes to be gone, in milliseconds: their reaper may be slow. */
const KILL_TIMEOUT = 3000;

/** Sends SIGTERM first, which a shell in the group may use to tidy up. */
async function killGroup(host: Host, child: Child): Promise<void> {
  const group = -child.pid;
  host.processes.signal(group, "SIGTERM");
  const hasEnded = await until(host, { timeout: KILL_TIMEOUT, interval: 50 }, () => {
    return !host.processes.signal(group, "SIGCONT"); // it does nothing but tell whether the group exists
  });
  if (!hasEnded) host.processes.signal(group, "SIGKILL");
}

/** Returns whether a program is in the PATH of tools. */
export async function hasProgram(host: Host, program: string): Promise<boolean> {
  for (const folder of TOOL_PATH.split(":")) {
    if ((await host.files.stat(`${folder}/${program}`))?.kind === "file") return true;
  }
  return false;
}

/**
 * Returns the first of some programs that is installed.
 *
 * @param programs Names, the preferred one first.
 * @throws {Failure} that names the package of the preferred one, where none is installed.
 */
export async function requireProgram<Program extends string>(
  host: Host,
  ...programs: readonly [Program, ...Program[]]
): Promise<Program> {
  for (const program of programs) if (await hasProgram(host, program)) return program;
  const hint = installHint(programs[0], await host.files.read("/etc/os-release") ?? "");
  throw refused(`Cannot run ${programs.join(" or ")}: not found`, hint);
}
