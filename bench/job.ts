/**
 * The benchmark of whole jobs: jobs by the installed program and the same work by hand (the floors), in alternation,
 * so that changes of the machine's speed affect all alike. bench/run.sh runs it.
 *
 * @module
 */

import { type Driver, type JobTimes, playJob } from "./driver.ts";
import { print, runMain } from "./entry.ts";
import { bootRaw, type End, endRaw, enterRaw, execRaw, type Setup } from "./floors.ts";
import { pause, type Samples, succeed } from "./measure.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { CALLS, type Conditions, FLOOR, jsonOf, LIMITED, tableOf, targets } from "./report.ts";
import { playRounds, playSteps } from "./rounds.ts";
import { canMakeDisks, describeHost, findProgram, hasSystemd, isThere } from "./system.ts";

/** Rounds that fill the caches and are not counted. */
const WARM_UP = 2;
/** Number of run stages in each machine. */
const RUNS = 4;
/** Starts of the program and of the empty program before each machine. */
const STARTS = 3;

/** Everything that a round needs. */
interface Bench {
  readonly options: Options;
  readonly setup: Setup;
  readonly ours: Driver;
  /** The program with a limit of a machine's writes, which needs a disk; undefined if the host has no loop devices. */
  readonly limited: Driver | undefined;
  readonly peer: Driver | undefined;
  /** Path of an empty program in the form of the installed one. */
  readonly empty: string;
  readonly notes: Set<string>;
}

async function main(): Promise<number> {
  const options = readOptions(Deno.args);
  if (options === null) return print(USAGE);
  const folder = await Deno.makeTempDir({ prefix: "nspawn-runner-bench" });
  const writes = await Deno.makeTempDir({ dir: options.store, prefix: ".bench-" });
  try {
    const bench = await prepareBench(options, folder, writes);
    const samples = await playRounds(
      WARM_UP,
      options.rounds,
      (round, samples) => playRound(bench, round, samples),
    );
    const where = await conditionsOf(bench);
    const found = targets(samples, bench.setup.booted);
    const report = options.json ? jsonOf : tableOf;
    return print(report(samples, where, found, [...bench.notes]));
  } finally {
    await Deno.remove(writes, { recursive: true });
    await Deno.remove(folder, { recursive: true });
  }
}

async function prepareBench(options: Options, folder: string, writes: string): Promise<Bench> {
  const program = await findProgram(options.program);
  const drive = async (label: string, ...more: string[]): Promise<Driver> => {
    const config = `${folder}/config-${more.length}.toml`;
    await Deno.writeTextFile(config, configOf(options, more));
    return { label, argv: [program, "--config", config] };
  };
  const hasDisks = options.storage === "overlay" && await canMakeDisks();
  const peer = options.peer === undefined ? undefined : await findProgram(options.peer);
  return {
    options,
    setup: {
      systemd: await hasSystemd(),
      storage: options.storage,
      chroot: await Deno.realPath(`${options.store}/${options.image}`),
      folder: writes,
      booted: !options.plain,
    },
    ours: await drive("ours"),
    limited: hasDisks ? await drive(LIMITED, "[limits]", 'disk_max = "2G"') : undefined,
    peer: peer === undefined ? undefined : { label: "peer", argv: [peer] },
    empty: options.empty ?? await emptyLike(program, folder),
    notes: new Set(),
  };
}

function configOf({ store, storage, plain }: Options, more: readonly string[]): string {
  const lines = [
    `store = ${JSON.stringify(store)}`,
    `storage = ${JSON.stringify(storage)}`,
    `boot = ${!plain}`,
    ...more,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** Creates an empty program with the same first line as the installed one. */
async function emptyLike(program: string, folder: string): Promise<string> {
  using file = await Deno.open(program);
  const start = new Uint8Array(256);
  await file.read(start);
  const line = new TextDecoder().decode(start).match(/^#!.*\n/)?.[0];
  if (line === undefined) {
    throw new Error("Cannot make an empty program like a compiled one: name one with --empty");
  }
  await Deno.writeTextFile(`${folder}/empty`, line, { mode: 0o755 });
  return `${folder}/empty`;
}

/** Runs one machine of each kind. */
async function playRound(bench: Bench, round: number, samples: Samples): Promise<void> {
  const { ours, limited, peer, setup } = bench;
  const steps = [
    () => drive(bench, ours, samples),
    ...(limited === undefined ? [] : [() => driveLimited(bench, limited, samples)]),
    () => rawMachine(bench, "kill", samples),
    ...(peer === undefined ? [] : [() => drive(bench, peer, samples)]),
    ...(setup.systemd ? [() => rawMachine(bench, "terminate", samples)] : []),
  ];
  const whole = steps.map((step) => async () => {
    await starts(bench, samples);
    await step();
  });
  await playSteps(round, whole);
}

async function starts({ empty, ours }: Bench, samples: Samples): Promise<void> {
  for (let start = 0; start < STARTS; start++) {
    await pause();
    samples.add(FLOOR.empty, (await succeed([empty])).ms);
    await pause();
    samples.add("ours start", (await succeed([...ours.argv, "--version"])).ms);
  }
}

async function drive(bench: Bench, driver: Driver, samples: Samples): Promise<void> {
  const times = await playNoted(bench, driver, RUNS);
  for (const call of CALLS) samples.add(`${driver.label} ${call}`, ...[times[call]].flat());
}

async function playNoted(
  { options: { image }, notes }: Bench,
  driver: Driver,
  runs: number,
): Promise<JobTimes> {
  const before = await machinesThere();
  const times = await playJob(driver, { id: nextId(), image, runs });
  if (await machinesThere() > before) {
    notes.add(`${driver.label}: cleanup returned while the machine was still there`);
  }
  return times;
}

/** Measures prepare and cleanup alone: scripts take as long as in any other machine. */
async function driveLimited(
  bench: Bench,
  driver: Driver,
  samples: Samples,
): Promise<void> {
  const { prepare, cleanup } = await playNoted(bench, driver, 0);
  samples.add(`${driver.label} prepare`, prepare);
  samples.add(`${driver.label} cleanup`, cleanup);
}

async function rawMachine({ setup }: Bench, end: End, samples: Samples): Promise<void> {
  await pause();
  const [machine, boot] = await bootRaw(setup, `bench-${nextId()}`);
  const times: [string, number][] = [[FLOOR.boot, boot]];
  try {
    for (let run = 0; run < RUNS; run++) {
      await pause();
      if (setup.booted) times.push([FLOOR.exec, await execRaw(setup, machine)]);
      await pause();
      times.push([FLOOR.nsenter, await enterRaw(machine)]);
    }
    await pause();
  } finally {
    times.push([FLOOR[end], await endRaw(setup, machine, end)]);
  }
  for (const [name, ms] of times) samples.add(name, ms);
}

let id = Date.now() * 100;

const nextId = () => ++id;

async function machinesThere(): Promise<number> {
  let count = 0;
  if (!await isThere("/run/systemd/machines")) return 0;
  for await (const _ of Deno.readDir("/run/systemd/machines")) count++;
  return count;
}

async function conditionsOf({ options, setup, ours, empty }: Bench): Promise<Conditions> {
  const version = (await succeed([...ours.argv, "--version"])).stdout.trim();
  const form = options.empty === undefined && empty !== "" ? "script" : "executable";
  return {
    program: `${version} (${form})`,
    host: await describeHost(),
    machine: `image ${options.image}, storage ${options.storage}, ${
      setup.booted ? "booted" : "plain"
    }`,
    rounds: options.rounds,
    unit: "ms",
  };
}

await runMain(main);
