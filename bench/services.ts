/**
 * The benchmark of services: jobs with a service, whose image is on the host, and jobs without, in alternation.
 * bench/run.sh --services runs it.
 *
 * @module
 */

import { type Driver, playJob } from "./driver.ts";
import { runMain } from "./entry.ts";
import { executor } from "./executor.ts";
import { pause, settle, succeed } from "./measure.ts";
import { readTask, type Task } from "./options.ts";
import { openRegistry } from "./registry.ts";
import { printReport } from "./report.ts";
import { playRounds, playSteps } from "./rounds.ts";
import type { Samples } from "./samples.ts";
import { describeHost } from "./system.ts";
import { SERVICES, serviceTarget } from "./targets.ts";

/** Rounds that fill the caches, pull the image, and are not counted. */
const WARM_UP = 2;

/** An image whose program listens as soon as it runs. */
const WEB_SERVER = [
  "--config.exposedports=80/tcp",
  ...["/bin/httpd", "-f", "-p", "80"].map((word) => `--config.cmd=${word}`),
];

async function main(): Promise<number> {
  const task = await readTask();
  const folder = await Deno.makeTempDir({ dir: task.store, prefix: ".bench-" });
  const registry = await openRegistry(folder, task.busybox, WEB_SERVER);
  try {
    const drivers = await openDrivers(task, registry.name, folder);
    const samples = await playRounds(
      WARM_UP,
      task.rounds,
      (round, samples) =>
        playSteps(round, drivers.map((driver) => () => measureJob(driver, samples))),
    );
    await printReport({
      samples,
      targets: [serviceTarget(samples)],
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

async function openDrivers(
  { forms, store, image }: Task,
  service: string,
  folder: string,
): Promise<readonly Driver[]> {
  const open = async (label: string, services: string) => {
    const config = `${folder}/${label.replaceAll(" ", "-")}.toml`;
    const text = `store = "${store}"
boot = false
pull = ["${service}"]
pull_policy = ["if-not-present"]
services = [${services}]
`;
    await Deno.writeTextFile(config, text);
    return executor(label, "plain", [forms[0]!.program, "--config", config], image);
  };
  return [
    await open(SERVICES.without, ""),
    await open(SERVICES.one, `{ name = "${service}", alias = "web" }`),
  ];
}

async function measureJob(driver: Driver, samples: Samples): Promise<void> {
  await playJob(driver, async (call, act) => {
    await pause();
    samples.add(driver.label, call, { ms: await act(), cpu: null });
  });
  await settle();
}

async function conditionsOf({ forms, rounds }: Task): Promise<string[]> {
  return [
    await describeHost(),
    (await succeed([forms[0]!.program, "--version"])).stdout.trim(),
    `a service that listens at once, from a pulled image that is on the host; ${rounds} rounds, in ms`,
  ];
}

await runMain(main);
