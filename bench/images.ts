/**
 * The benchmark of pulled images: jobs on an image of a registry on this host and on a chroot with the same files, in
 * alternation, and jobs on an image whose last layer has changed. bench/run.sh --images runs it.
 *
 * @module
 */

import { type Driver, playJob, startJob } from "./driver.ts";
import { runMain } from "./entry.ts";
import { executor } from "./executor.ts";
import { pause, settle, succeed } from "./measure.ts";
import { readTask, type Task } from "./options.ts";
import { openRegistry, type Registry } from "./registry.ts";
import { printReport } from "./report.ts";
import { playRounds, playSteps } from "./rounds.ts";
import type { Samples } from "./samples.ts";
import { describeHost } from "./system.ts";
import { imageTargets, PULLED } from "./targets.ts";

/** Rounds that fill the caches, pull the image, and are not counted. */
const WARM_UP = 2;

async function main(): Promise<number> {
  const task = await readTask();
  const folder = await Deno.makeTempDir({ dir: task.store, prefix: ".bench-" });
  const registry = await openRegistry(folder, `${task.store}/${task.image}`);
  try {
    const drivers = await openDrivers(task, registry, folder);
    const samples = await playRounds(
      WARM_UP,
      task.rounds,
      (round, samples) => playRound(round, drivers, registry, samples),
    );
    await printReport({
      samples,
      targets: imageTargets(samples),
      beside: [],
      conditions: await conditionsOf(task),
      notes: [],
      unit: "ms",
    }, task.json);
    return 0;
  } finally {
    await registry.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** One driver for each way to get the same files. */
async function openDrivers(
  { forms, store, image }: Task,
  { name }: Registry,
  folder: string,
): Promise<readonly Driver[]> {
  const open = async (label: string, image: string, policy: string) => {
    const config = `${folder}/${policy}.toml`;
    const settings = { store, boot: false, pull: [name], pull_policy: [policy] };
    const lines = Object.entries(settings).map(([key, value]) =>
      `${key} = ${JSON.stringify(value)}`
    );
    await Deno.writeTextFile(config, `${lines.join("\n")}\n`);
    return executor(label, "plain", [forms[0]!.program, "--config", config], image);
  };
  return [
    await open(PULLED.chroot, image, "always"),
    await open(PULLED.present, name, "if-not-present"),
    await open(PULLED.always, name, "always"),
  ];
}

async function playRound(
  round: number,
  drivers: readonly Driver[],
  registry: Registry,
  samples: Samples,
): Promise<void> {
  await playSteps(round, [
    ...drivers.map((driver) => () => measureJob(driver, samples)),
    () => measureRequest(registry, samples),
    () => measureChange(drivers.at(-1)!, registry, samples),
  ]);
}

async function measureJob(driver: Driver, samples: Samples): Promise<void> {
  await playJob(driver, async (call, act) => {
    await pause();
    samples.add(driver.label, call, { ms: await act(), cpu: null });
  });
  await settle();
}

/** One request by hand: the manifest that `always` asks for. */
async function measureRequest({ name }: Registry, samples: Samples): Promise<void> {
  await pause();
  const argv = ["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`];
  samples.add(PULLED.request, "request", { ms: (await succeed(argv)).ms, cpu: null });
}

/** Measures a job from its config stage to the end of its first script, after the last layer of its image has changed. */
async function measureChange(driver: Driver, registry: Registry, samples: Samples): Promise<void> {
  await registry.changeLayer();
  await settle();
  const began = performance.now();
  const [job] = await startJob(driver);
  await job.run("build_script");
  samples.add(PULLED.changed, PULLED.step, { ms: performance.now() - began, cpu: null });
  await job.cleanup();
  await settle();
}

async function conditionsOf({ forms, image, rounds }: Task): Promise<string[]> {
  return [
    await describeHost(),
    (await succeed([forms[0]!.program, "--version"])).stdout.trim(),
    (await succeed(["skopeo", "--version"])).stdout.trim(),
    `an image with the files of chroot ${image}; ${rounds} rounds, in ms`,
  ];
}

await runMain(main);
