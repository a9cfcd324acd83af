/** What the host and a machine agree on to run scripts: names of files in a machine's {@linkcode INSIDE}, lines, a unit. */

/** Where a machine sees the files of its channel. */
export const INSIDE = "/run/nspawn-runner";

/** The files of a channel, by what they hold. */
export const CHANNEL = {
  /** The program that runs the scripts. */
  server: "server",
  /** The unit that starts it in a booted machine, in a folder of its own. */
  units: "units",
  /** A named pipe: a line in it tells the server to read the request. */
  call: "call",
  /** How to run the script of the present stage. */
  request: "request",
  /** Named pipes: the script's output and messages. */
  stdout: "stdout",
  stderr: "stderr",
  /** What the server reports; the only file that the machine may write. */
  result: "result",
  /** The user who runs scripts, and their folders. */
  user: "user",
  /** Variables of the scripts. */
  environment: "environment",
  /** How a pulled image starts a process, as assignments of a shell. */
  process: "process",
  /** The image's arguments of its entrypoint, where it has one. */
  entrypoint: "entrypoint",
  /** The program that starts the script as such a process. */
  start: "start",
  /** The last output of a service: one after the other is filled. */
  logs: ["log.0", "log.1"],
  /** Whether a service was not ready in time. */
  late: "late",
  /** How many bytes of the output of a service are in the log of its job. */
  shown: "shown",
} as const;

/** Bytes of output that one of these files has at most, after a line with the number of bytes that came before. */
export const MAX_LOG_BYTES = 262_144;

/** The line that the server reports first. */
export const SERVER_BEGUN = "begun";

/** The line that the server reports once it waits for the first call. */
export const SERVER_READY = "ready";

/** The server's unit in a booted machine. */
export const SERVER_UNIT = "nspawn-runner.service";

/** The name of the cgroup of a stage, below the cgroup of the server. */
export const STAGE_CGROUP = "stage";

/** Seconds between SIGTERM and SIGKILL for what a stage has left running, and for a stage that is cancelled. */
export const STOP_SECONDS = 2;

/** What the program of a service reports, each with a text after it. */
export const SERVICE_REPORTS = {
  /** Why it cannot start. */
  failed: "cannot start",
  /** Its exit code. */
  exited: "exited",
} as const;

/** The line that tells that the test of a service's health succeeded. */
export const SERVICE_HEALTHY = "healthy";

/** The line that tells that the program of a service runs. */
export const SERVICE_STARTED = "started";
