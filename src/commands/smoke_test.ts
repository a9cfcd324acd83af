import type { SmokeTest } from "../chroots/work.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { type MachineName, machineName } from "../machines/name.ts";
import { runStage } from "../machines/stage.ts";
import { startMachine } from "../machines/start.ts";
import { stopMachine } from "../machines/stop.ts";

/** What every job needs: its shell runs this, and git fetches its sources. */
const SCRIPT = new TextEncoder().encode("git --version >/dev/null\n");

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
    const job = {
      id,
      server: undefined,
      underGitLab: false,
      began: host.clock.now(),
      timeout: undefined,
      lifetime: settings.prepare_timeout + LIFETIME,
      keep: 0,
    };
    await startMachine(host, {
      name: machine,
      store: config.store,
      chroot: () => Promise.resolve({ name, path }),
      settings,
      user: settings.user ?? image?.user ?? "",
      owned: [],
      environment: image?.env ?? [],
      job,
      folders: undefined,
      binds: [],
    }, interrupt);
    try {
      await runScript(host, config, machine, interrupt);
    } finally {
      const store = () => Promise.resolve(config.store);
      await stopMachine(host, store, machine).catch((error) => host.log.warn(messageOf(error)));
    }
  };
}

/** Seconds that the script may take; after that the machine may be ended by whoever comes by. */
const LIFETIME = 300;

async function runScript(
  host: Host,
  config: Config,
  machine: MachineName,
  interrupt: AbortSignal,
): Promise<void> {
  const store = () => Promise.resolve(config.store);
  const stage = { script: SCRIPT, shell: undefined };
  const { ending } = await runStage(host, store, machine, stage, interrupt);
  if (interrupt.aborted) throw hostFailure("Cannot test the new tree: interrupted");
  if (ending.kind === "exited" && ending.code === 0) return;
  throw refused(
    "Cannot use the new tree: git does not run in it",
    'Jobs need it. A definition may say setup = ["apt-get update && apt-get install -y git"], or what its system has for that',
  );
}
