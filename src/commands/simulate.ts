import { join } from "@std/path/posix";
import type { CommandRun, Invocation } from "../app/command.ts";
import { type Ending, isSuccess } from "../ending.ts";
import { hostFailure, refused, usageError } from "../failure.ts";
import {
  BUILD_FAILURE,
  commandScript,
  fileScript,
  SAMPLE_SCRIPT,
  type SimulatedJob,
  type Stage,
  stageEnvironment,
  stagesOf,
} from "../gitlab/simulation.ts";
import type { Argv, Captured, Ended, Host } from "../host/host.ts";
import { selfArgv } from "../app/self_argv.ts";
import { interruptible } from "../app/interrupt.ts";

/** Plays GitLab Runner for one job, each stage by this same program as a child. */
export const run: CommandRun = async (invocation, context) => {
  const { host } = context;
  const job = await jobOf(host, invocation);
  const folder = await host.files.temporaryDirectory("custom-executor");
  try {
    return await interruptible(host, async (interrupt) => {
      const env = await stageEnvironment(host, folder, job);
      const player = { host, env, folder, driver: await selfArgv(context), interrupt };
      let ending: Ending;
      let cleaned: Ended;
      try {
        ending = await play(player, job);
      } finally {
        // Cleanup follows every job, also one that never came to be prepared.
        cleaned = await call(player, "cleanup", ["cleanup"]);
      }
      if (interrupt.aborted) return { kind: "signalled", signal: SIGTERM };
      return cleaned.code !== 0 && isSuccess(ending) ? lost("cleanup failed") : ending;
    });
  } finally {
    await host.files.removeTree(folder);
  }
};

const SIGTERM = 15;

/** What every stage needs. */
interface Player {
  readonly host: Host;
  /** Config's answer adds to it, for all stages that follow. */
  env: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly driver: Argv;
  readonly interrupt: AbortSignal;
}

async function jobOf(host: Host, invocation: Invocation): Promise<SimulatedJob> {
  const path = invocation.positionals["script"];
  if (path !== undefined && invocation.rest.length > 0) {
    throw usageError(
      "Cannot simulate both a script and a command",
      "Give one: a script's path, or words after --",
    );
  }
  // As unique as the ids of a real server, so that two simulations do not meet.
  const id = host.clock.now() * 1000 + host.pid() % 1000;
  return {
    id,
    image: invocation.options["image"] ?? "",
    script: await scriptOf(host, path, invocation.rest),
    variables: Object.fromEntries((invocation.lists["variable"] ?? []).map(variableIn)),
  };
}

function variableIn(word: string): [name: string, value: string] {
  const [, name, value] = word.match(/^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw usageError(
    `Cannot use --variable ${JSON.stringify(word)}: it is no NAME=VALUE`,
    "For one: --variable MODE=fast",
  );
}

async function scriptOf(
  host: Host,
  path: string | undefined,
  words: readonly string[],
): Promise<string> {
  if (words.length > 0) return commandScript(words);
  if (path === undefined) return SAMPLE_SCRIPT;
  const text = await host.files.read(path);
  if (text === null) throw refused(`Cannot simulate script ${path}: no such file`);
  return fileScript(text);
}

async function play(player: Player, job: SimulatedJob): Promise<Ending> {
  const config = await configure(player);
  if ("kind" in config) return config;
  if (player.interrupt.aborted) return lost("interrupted");
  player.env = { ...player.env, ...config.jobEnv };
  const prepared = await call(player, "prepare", ["prepare"]);
  if (prepared.code !== 0) return await failureOf(player, "prepare", prepared);
  return await runStages(player, stagesOf(job, config.buildsDir));
}

/** What later stages need of config's answer. */
interface Configured {
  readonly buildsDir: string;
  readonly jobEnv: Record<string, string>;
}

async function configure(player: Player): Promise<Configured | Ending> {
  const [program, ...words] = player.driver;
  const began = announce(player, "config");
  const answered: Captured = await player.host.processes.capture(
    [program, ...words, "gitlab-config"],
    { env: player.env },
  );
  player.host.terminal.err(answered.stderr);
  conclude(player, "config", answered, began);
  if (answered.code !== 0) return await failureOf(player, "config", answered);
  try {
    const answer = JSON.parse(answered.stdout);
    return { buildsDir: answer.builds_dir, jobEnv: answer.job_env ?? {} };
  } catch {
    throw hostFailure(`Cannot read the answer of config: ${JSON.stringify(answered.stdout)}`);
  }
}

async function runStages(player: Player, stages: readonly Stage[]): Promise<Ending> {
  let ending: Ending = { kind: "exited", code: 0 };
  let begun = false; // whether the user's own script was reached
  for (const stage of stages) {
    const failed = !isSuccess(ending);
    if (stage.when === (failed ? "success" : "failure") || player.interrupt.aborted) continue;
    // A job that fails before its own script has nothing to follow up.
    if (failed && (!begun || ending.kind === "lost")) continue;
    if (stage.name === "build_script") begun = true;
    const ended = await runStage(player, stage);
    if (ended.code === 0 || !stage.counts || failed) continue;
    ending = await failureOf(player, stage.name, ended);
  }
  return ending;
}

async function runStage(player: Player, stage: Stage): Promise<Ended> {
  const folder = join(player.folder, `script-${stage.name}`);
  await player.host.files.makeDirectory(folder);
  const path = join(folder, "script");
  await player.host.files.write(path, stage.script, 0o700);
  return await call(player, stage.name, ["run", path, stage.name]);
}

/** One call of the driver, in a process group of its own as GitLab Runner makes it. */
async function call(
  player: Player,
  stage: string,
  words: readonly string[],
): Promise<Ended> {
  const began = announce(player, stage);
  const child = player.host.processes.start([...player.driver, ...words], {
    env: player.env,
    cwd: player.folder,
    detached: true,
  });
  const cancel = () => child.kill("SIGTERM");
  if (stage !== "cleanup") player.interrupt.addEventListener("abort", cancel);
  const ended = await child.ended;
  player.interrupt.removeEventListener("abort", cancel);
  conclude(player, stage, ended, began);
  return ended;
}

function announce({ host }: Player, stage: string): number {
  host.log.info(`simulate: ${stage} begins`);
  return host.clock.now();
}

function conclude({ host }: Player, stage: string, { code }: Ended, began: number): void {
  const seconds = ((host.clock.now() - began) / 1000).toFixed(2);
  host.log.info(`simulate: ${stage} ended with ${code} after ${seconds} s`);
}

/** A failed stage, as GitLab Runner judges it. */
async function failureOf(player: Player, stage: string, { code }: Ended): Promise<Ending> {
  if (code !== BUILD_FAILURE) return lost(`stage ${stage} failed on the host`);
  const text = await player.host.files.read(player.env["BUILD_EXIT_CODE_FILE"]!);
  if (text === null) return { kind: "exited", code: BUILD_FAILURE };
  const own = text.match(/^(\d{1,3})(?:\n|$)/)?.[1];
  return own === undefined
    ? lost(`stage ${stage} left no exit code, but ${JSON.stringify(text)}`)
    : { kind: "exited", code: Number(own) };
}

function lost(reason: string): Ending {
  return { kind: "lost", reason };
}
