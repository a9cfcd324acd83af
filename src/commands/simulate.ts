import type { CommandRun, Invocation } from "../app/command.ts";
import { interruptible } from "../app/interrupt.ts";
import { selfArgv } from "../app/self_argv.ts";
import { simulateJob } from "../app/simulated_runner.ts";
import { parseVariable } from "../app/variable_option.ts";
import { refused, usageError } from "../failure.ts";
import {
  commandScript,
  fileScript,
  SAMPLE_SCRIPT,
  type SimulatedJob,
  type SimulatedService,
} from "../gitlab/simulation.ts";
import type { Host } from "../host/host.ts";

/** Simulates one job: calls this program for each stage, as GitLab Runner would. */
export const run: CommandRun = async (invocation, context) => {
  const { host } = context;
  const job = await jobOf(host, invocation);
  const driver = await selfArgv(context);
  return await interruptible(host, (interrupt) => simulateJob(host, driver, job, interrupt));
};

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
    variables: Object.fromEntries((invocation.lists["variable"] ?? []).map(parseVariable)),
    services: (invocation.lists["service"] ?? []).map(parseService),
  };
}

function parseService(word: string): SimulatedService {
  const [, name, alias = ""] = word.match(/^([^=]+)(?:=([^]+))?$/) ?? [];
  if (name !== undefined) return { name, alias };
  throw usageError(
    `Cannot use --service ${JSON.stringify(word)}: it is not of the form IMAGE or IMAGE=ALIAS`,
    "Example: --service postgres:16=db",
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
  if (text === null) {
    throw refused(
      `Cannot simulate script ${path}: no such file`,
      "Give the path of a file on this host",
    );
  }
  return fileScript(text);
}
