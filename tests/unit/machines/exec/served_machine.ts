/** A real server of stages, in a folder of the test instead of a machine. */

import type { Ending } from "../../../../src/ending.ts";
import type { Host } from "../../../../src/host/host.ts";
import { type ChannelOptions, openChannel } from "../../../../src/machines/exec/channel.ts";
import { runInMachine } from "../../../../src/machines/exec/exec.ts";
import { removeStage, type Script, writeStage } from "../../../../src/machines/exec/script.ts";
import { ONE_ROOT_SERVER } from "../../../../src/machines/exec/stage_server.ts";
import { INSIDE } from "../../../../src/machines/record/channel.ts";
import type { MachinePaths } from "../../../../src/machines/record/paths.ts";
import { inFolder, type Recording, recordingHost } from "../../recording_host.ts";
import { ALIVE_STAT, LEADER } from "./leader.ts";
import { leaseOf, pathsIn } from "../fixture.ts";

/** Scripts run as root of the host, by sh. */
export const ROOT: ChannelOptions = {
  server: ONE_ROOT_SERVER,
  user: null,
  ids: null,
  owned: [],
  environment: [],
  limited: false,
};

/** A machine whose server runs. */
export interface ServedMachine {
  readonly recording: Recording;
  readonly host: Host;
  readonly paths: MachinePaths;
  /** The process id of the server. */
  readonly server: number;
  /** Runs a stage, and returns how it ended and what it printed. */
  run(script: string, options?: Partial<Script>): Promise<Served>;
}

/** A stage that was run. */
export interface Served {
  readonly ending: Ending;
  readonly stdout: string;
  readonly stderr: string;
}

const quiet = new AbortController().signal;

/** Starts a server, calls the function, and ends the server. */
export async function withServer(
  act: (machine: ServedMachine) => Promise<void>,
  options: Partial<ChannelOptions> = {},
): Promise<void> {
  await inFolder(async (folder) => {
    const recording = recordingHost({
      answer: (argv) => argv[0] === "cat" ? { stdout: ALIVE_STAT } : undefined,
      real: ["mkfifo"],
    });
    const { clock, ...rest } = recording.host;
    const sleep = (ms: number) =>
      new Promise<void>((resolve) => {
        AbortSignal.timeout(ms).addEventListener("abort", () => resolve());
      });
    const host: Host = {
      ...rest,
      clock: { ...clock, monotonic: () => performance.now(), sleep, nap: sleep },
    };
    const paths = pathsIn(folder);
    await openChannel(host, paths, { ...ROOT, ...options });
    const server = await startServer(folder, paths);
    try {
      await act({
        recording,
        host,
        paths,
        server: server.pid,
        run: runner(host, recording, paths),
      });
    } finally {
      Deno.kill(-server.pid, "SIGKILL"); // with the process that waits for the next script
      await server.status;
    }
  });
}

/** Starts the program with the paths of a machine moved into a folder; no process is ever left in its cgroup. */
async function startServer(folder: string, paths: MachinePaths): Promise<Deno.ChildProcess> {
  const cgroup = `${folder}/cgroup`;
  await Deno.mkdir(cgroup);
  await Deno.writeTextFile(`${cgroup}/cgroup.events`, "populated 0\n");
  const path = `${paths.stage}/server`;
  const program = (await Deno.readTextFile(path))
    .replace(/^ *\[ -n "\$controllers" \].*$/m, `cgroup=${cgroup}`)
    .replaceAll(INSIDE, paths.stage);
  await Deno.chmod(path, 0o755);
  await Deno.writeTextFile(path, program);
  await Deno.remove(`${paths.stage}/result`);
  await Deno.symlink(paths.result, `${paths.stage}/result`);
  return new Deno.Command("/bin/sh", {
    args: [path],
    env: { SECRET: "x" },
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

function runner(host: Host, recording: Recording, paths: MachinePaths): ServedMachine["run"] {
  return async (script, options = {}) => {
    const [out, err] = [recording.out().length, recording.err().length];
    const bytes = new TextEncoder().encode(script);
    const shells = { programs: ["sh"], options: [] };
    const whole: Script = { bytes, shells, streams: "both", kind: "script", ...options };
    const lease = leaseOf("/store", "42", { leader: LEADER, booted: false });
    const running = { lease, leader: LEADER, isAlive: () => Promise.resolve(true) };
    const stage = await writeStage(host, paths, whole, { user: null, ids: null });
    try {
      const ending = await runInMachine(host, running, stage, quiet);
      return { ending, stdout: recording.out().slice(out), stderr: recording.err().slice(err) };
    } finally {
      await removeStage(host, stage);
    }
  };
}
