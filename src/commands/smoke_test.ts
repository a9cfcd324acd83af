import type { SmokeTest } from "../chroots/work.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { type MachineName, machineName } from "../machines/name.ts";
import { runStage } from "../machines/stage.ts";
import { startMachine } from "../machines/start.ts";
import { stopMachine } from "../machines/stop.ts";

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

/**
 * The test of new trees: a machine as jobs get it, and a script in it.
 *
 * @param host The outside.
 * @param config Where machines live.
 * @returns The test.
 */
export function smokeTest(host: Host, config: Config): SmokeTest {
  return async (candidate, interrupt) => {
    const { name, tree: path, settings, image } = candidate;
    const id = `test-${host.pid()}`;
    const machine = machineName(id, undefined);
    const { user = "", env: environment = [] } = image ?? {};
    const job = {
      id,
      server: undefined,
      url: undefined,
      watcher: "us",
      began: host.clock.now(),
      timeout: undefined,
      lifetime: settings.prepare_timeout + LIFETIME,
      keep: 0,
    } as const;
    const { lease } = await startMachine(host, {
      name: machine,
      store: config.store,
      chroot: () =>
        Promise.resolve({
          name,
          path,
          user: settings.user ?? user,
          environment,
          isFixed: true,
        }),
      settings,
      owned: [],
      diskReserve: 0, // what it tests fits already
      job,
      folders: undefined,
      binds: [],
      networks: config,
    }, interrupt);
    try {
      for (const need of NEEDS) await meet(need, host, config, machine, interrupt);
    } finally {
      const store = () => Promise.resolve(config.store);
      await stopMachine(host, store, machine).catch((error) => host.log.warn(messageOf(error)));
    }
    if (lease.layer !== null) await prepareLayers(host, config.store, path, interrupt);
  };
}

/** Jobs make what is missing, so that this is no reason to give up a good tree. */
async function prepareLayers(
  host: Host,
  store: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  const { makeFirstLayers } = await import("../machines/layers/make.ts");
  await makeFirstLayers(host, store, tree, interrupt).catch((error) =>
    host.log.warn(messageOf(error))
  );
}

/** Seconds that the script may take; after that the machine may be ended by whoever comes by. */
const LIFETIME = 300;

async function meet(
  { script, failure, hint }: (typeof NEEDS)[number],
  host: Host,
  config: Config,
  machine: MachineName,
  interrupt: AbortSignal,
): Promise<void> {
  const store = () => Promise.resolve(config.store);
  const stage = { script: new TextEncoder().encode(script), shell: undefined };
  const { ending } = await runStage(host, store, machine, stage, interrupt);
  if (interrupt.aborted) throw hostFailure("Cannot test the new tree: interrupted");
  if (ending.kind === "lost") throw hostFailure(`Cannot test the new tree: ${ending.reason}`);
  if (ending.kind !== "exited" || ending.code !== 0) {
    throw refused(`Cannot use the new tree: ${failure}`, hint);
  }
}
