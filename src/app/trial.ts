import type { Candidate, Trial } from "../chroots/generations/context.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { machineName } from "../machines/record/name.ts";
import type { MachinePlan, BaseTree } from "../machines/record/plan.ts";
import { runStage } from "../machines/use/run_script.ts";
import { startMachine } from "../machines/start/start.ts";
import { stopMachine } from "../machines/end/stop.ts";

/** What every job needs, and what is wrong where it fails. Scripts that every shell reads. */
const NEEDS = [
  {
    script: "exit 0\n",
    failure: "its shell does not run in it",
    hint: "Jobs need it: shell in the definition names another",
  },
  {
    script: "git --version >/dev/null\n",
    failure: "git does not run in it",
    hint:
      'Jobs need it. A definition may say setup = ["apt-get update && apt-get install -y git"], or what its system has for that',
  },
];

/** Seconds that the script may take; after that the machine may be ended by whoever comes by. */
const LIFETIME = 300;

/**
 * The test of new trees: a machine as jobs get it, and a script in it.
 *
 * @param host The outside.
 * @param config Where machines live.
 * @returns The test.
 */
export function smokeTest(host: Host, config: Config): Trial {
  return async (candidate, interrupt) => {
    const plan = planOf(host, config, candidate);
    const { lease } = await startMachine(host, plan, interrupt);
    try {
      for (const need of NEEDS) await meet(host, plan, need, interrupt);
    } finally {
      await stopMachine(host, storeOf(plan), plan.name).catch((error) =>
        host.log.warn(messageOf(error))
      );
    }
    if (lease.layer !== null) await prepareLayers(host, plan.store, candidate.tree, interrupt);
  };
}

function planOf(host: Host, config: Config, candidate: Candidate): MachinePlan {
  const { settings } = candidate;
  const id = `test-${host.pid()}`;
  return {
    name: machineName(id, undefined),
    store: config.store,
    tree: () => Promise.resolve(chrootOf(candidate)),
    settings,
    owned: [],
    diskReserve: 0, // what it tests fits already
    job: {
      id,
      server: undefined,
      url: undefined,
      watcher: "us",
      began: host.clock.now(),
      timeout: undefined,
      lifetime: settings.prepare_timeout + LIFETIME,
      keep: 0,
    },
    folders: undefined,
    binds: [],
    networks: config,
  };
}

/** The tree as jobs get it once it is a generation. */
function chrootOf({ name, tree, settings, image }: Candidate): BaseTree {
  const { user = "", env: environment = [] } = image ?? {};
  return { name, path: tree, user: settings.user ?? user, environment, isFixed: true };
}

async function meet(
  host: Host,
  plan: MachinePlan,
  { script, failure, hint }: (typeof NEEDS)[number],
  interrupt: AbortSignal,
): Promise<void> {
  const stage = { script: new TextEncoder().encode(script), shell: undefined };
  const { ending } = await runStage(host, storeOf(plan), plan.name, stage, interrupt);
  if (interrupt.aborted) throw hostFailure("Cannot test the new tree: interrupted");
  if (ending.kind === "lost") throw hostFailure(`Cannot test the new tree: ${ending.reason}`);
  if (ending.kind !== "exited" || ending.code !== 0) {
    throw refused(`Cannot use the new tree: ${failure}`, hint);
  }
}

function storeOf({ store }: MachinePlan): () => Promise<string> {
  return () => Promise.resolve(store);
}

/** Jobs make what is missing, so that this is no reason to give up a good tree. */
async function prepareLayers(
  host: Host,
  store: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  const { makeFirstShiftedLayers } = await import("../machines/storage/shifted/make.ts");
  await makeFirstShiftedLayers(host, store, tree, interrupt).catch((error) =>
    host.log.warn(messageOf(error))
  );
}
