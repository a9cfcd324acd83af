/**
 * The benchmarks of jobs: jobs by the installed program and the same work by hand (the floors), in alternation, so that
 * changes of the machine's speed affect all alike. bench/run.sh runs it.
 *
 * @module
 */

import { playAlive } from "./alive.ts";
import { messageOf } from "../src/failure.ts";
import { costOf, type CpuClock, cpuClock } from "./cpu.ts";
import { playCrowds } from "./crowd.ts";
import { openDocker } from "./docker.ts";
import { type Driver, type Kind, playJob } from "./driver.ts";
import { runMain } from "./entry.ts";
import { executor } from "./executor.ts";
import { raw } from "./floors.ts";
import { settle, succeed } from "./measure.ts";
import { type Form, readTask, type Task } from "./options.ts";
import { printReport, type Report } from "./report.ts";
import { playRounds, playSteps } from "./rounds.ts";
import type { Samples } from "./samples.ts";
import { describeHost, hasSystemd, isThere } from "./system.ts";
import { type Ours, STEP, targets } from "./targets.ts";

/** Rounds that fill the caches and are not counted. */
const WARM_UP = 2;
/** How often the program and the empty program start before each job. */
const STARTS = 2;

/** Everything that a round needs. */
interface Bench {
  readonly task: Task;
  readonly ours: readonly (Ours & Driver)[];
  readonly peers: readonly Driver[];
  readonly floors: readonly Driver[];
  readonly clock: CpuClock;
  readonly notes: Set<string>;
  close(): Promise<void>;
}

async function main(): Promise<number> {
  const task = await readTask();
  const folder = await Deno.makeTempDir({ prefix: "nspawn-runner-bench" });
  const writes = await Deno.makeTempDir({ dir: task.store, prefix: ".bench-" });
  try {
    const bench = await openBench(task, folder, writes);
    try {
      await printReport(await reportOf(bench, await play(bench)), task.json);
      return 0;
    } finally {
      await bench.close();
    }
  } finally {
    await Deno.remove(writes, { recursive: true });
    await Deno.remove(folder, { recursive: true });
  }
}

async function openBench(task: Task, folder: string, writes: string): Promise<Bench> {
  const { forms, image, storage, only, peer, isPeerOurs } = task;
  const notes = new Set(task.notes);
  const configs = await writeConfigs(task, folder, notes);
  const kinds = ["booted", "plain"] as const;
  const ours = forms.flatMap((form) =>
    kinds.map((kind) => ({
      ...executor(`${form.name} ${kind}`, kind, [form.program, ...configs[kind]], image),
      form: form.name,
      kind,
    }))
  ).filter(({ label }) => label.includes(only));
  if (ours.length === 0) throw new Error(`Cannot run drivers named "${only}": there are none`);
  const chroot = await Deno.realPath(`${task.store}/${image}`);
  const setup = { systemd: await hasSystemd(), storage, chroot, folder: writes };
  const used = kinds.filter((kind) => ours.some((driver) => driver.kind === kind));
  const docker = peer === "docker" ? await openDocker(chroot) : undefined;
  const programs = peer === undefined || docker !== undefined
    ? []
    : isPeerOurs
    ? used.map((kind) => executor(`peer ${kind}`, kind, [peer, ...configs[kind]], image))
    : [executor("peer", null, [peer], image)];
  return {
    task,
    ours,
    peers: docker === undefined ? programs : [docker.driver],
    floors: used.map((kind) => raw(setup, kind)),
    clock: await cpuClock(),
    notes,
    close: async () => await docker?.close(),
  };
}

/** Returns the words that name the configuration of each kind of machine. */
async function writeConfigs(
  task: Task,
  folder: string,
  notes: Set<string>,
): Promise<Record<Kind, string[]>> {
  const write = async (kind: Kind, network: readonly string[]) => {
    const lines = [
      `store = ${JSON.stringify(task.store)}`,
      `storage = ${JSON.stringify(task.storage)}`,
      `boot = ${kind === "booted"}`,
      ...network,
      ...(task.disk ? ["[limits]", 'disk_max = "2G"'] : []),
    ];
    await Deno.writeTextFile(`${folder}/${kind}.toml`, lines.map((line) => `${line}\n`).join(""));
    return ["--config", `${folder}/${kind}.toml`];
  };
  const argv = [task.forms[0]!.program, ...await write("plain", ['network = "private"'])];
  const network: string[] = [];
  try {
    await playJob(executor("trial", "plain", argv, task.image), (_call, act) => act());
  } catch (error) {
    network.push('network = "host"');
    const [, reason] = messageOf(error).split("\n");
    notes.add(`Machines have the host's network (network = "host"). ${reason}`);
  }
  return { booted: await write("booted", network), plain: await write("plain", network) };
}

async function play(bench: Bench): Promise<Samples> {
  const { task: { mode, rounds }, ours, peers, clock } = bench;
  switch (mode) {
    case "crowd":
      return await playRounds(
        0,
        rounds,
        (round, samples) => playCrowds(round, [...ours, ...peers], clock, samples),
      );
    case "alive":
      return await playAlive(ours, rounds);
    default:
      return await playRounds(
        WARM_UP,
        rounds,
        (round, samples) => playRound(bench, round, samples),
      );
  }
}

/** Runs one job of each driver. */
async function playRound(bench: Bench, round: number, samples: Samples): Promise<void> {
  const { ours, peers, floors, task: { forms } } = bench;
  await playSteps(round, [
    ...ours.map((driver) => async () => {
      await starts(bench, forms.find(({ name }) => name === driver.form)!, samples);
      await measureJob(bench, driver, samples);
    }),
    ...[...floors, ...peers].map((driver) => () => measureJob(bench, driver, samples)),
  ]);
}

async function starts(
  { clock }: Bench,
  { name, program, empty }: Form,
  samples: Samples,
): Promise<void> {
  for (let start = 0; start < STARTS; start++) {
    const cost = (argv: string[]) => costOf(clock, async () => (await succeed(argv)).ms);
    samples.add(name, STEP.empty, await cost([empty]));
    samples.add(name, STEP.start, await cost([program, "run", "--version"]));
  }
}

async function measureJob({ clock, notes }: Bench, driver: Driver, samples: Samples) {
  const { label, client } = driver;
  const [machines, began] = [await countMachines(), await clock()];
  let ms = 0;
  await playJob(driver, async (call, act) => {
    const cost = await costOf(clock, act);
    samples.add(label, call, cost);
    ms += cost.ms;
  });
  await settle();
  const job = { ms, cpu: await clock() - began };
  samples.add(label, STEP.job, job);
  if (await countMachines() > machines) {
    notes.add(`${label}: a machine was still there after its cleanup`);
  }
  if (client === undefined) return;
  const one = await costOf(clock, async () => (await succeed(client.argv)).ms);
  samples.add(label, STEP.client, one);
  samples.add(label, STEP.withoutClient, {
    ms: job.ms - client.calls * one.ms,
    cpu: job.cpu - client.calls * one.cpu,
  });
}

async function countMachines(): Promise<number> {
  if (!await isThere("/run/systemd/machines")) return 0;
  return (await Array.fromAsync(Deno.readDir("/run/systemd/machines"))).length;
}

async function reportOf(bench: Bench, samples: Samples): Promise<Report> {
  const { task: { forms, image, storage, disk, rounds }, ours, peers, notes } = bench;
  const versions = await Promise.all(forms.map(async ({ name, program }) => {
    return `${name}: ${(await succeed([program, "--version"])).stdout.trim()}`;
  }));
  return {
    samples,
    targets: targets(samples, ours, disk),
    beside: ours.flatMap(({ label, kind }) =>
      peers.filter((peer) => peer.kind === null || peer.kind === kind)
        .map((peer) => [label, peer.label] as const)
    ),
    conditions: [
      await describeHost(),
      ...versions,
      `image ${image}, storage ${storage}${disk ? " with a disk" : ""}; ${rounds} rounds, in ms`,
    ],
    notes: [...notes],
    unit: "ms",
  };
}

await runMain(main);
