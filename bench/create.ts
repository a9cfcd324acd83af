/**
 * The benchmark of chroot-create: the installed program and mmdebstrap by hand with the same arguments on the same
 * disk, in alternation. bench/run.sh --create runs it.
 *
 * @module
 */

import { type Bootstrap, bootstrapArgv } from "../src/chroots/sources/bootstrap.ts";
import { runMain } from "./entry.ts";
import { pause, succeed } from "./measure.ts";
import { readTask, type Task } from "./options.ts";
import { printReport } from "./report.ts";
import { playRounds, playSteps } from "./rounds.ts";
import type { Samples } from "./samples.ts";
import { describeHost } from "./system.ts";
import { CREATE, createTarget } from "./targets.ts";

/** The name of the chroot, and its suite. */
const NAME = "bookworm";
/** Rounds that fill the caches and are not counted. */
const WARM_UP = 1;

/** Everything that a round needs. */
interface Bench {
  readonly program: readonly string[];
  readonly store: string;
  /** Path of the tree that is created by hand. */
  readonly tree: string;
  /** Packages of the first tree: a tree with others would be the result of other work. */
  packages: string | undefined;
}

async function main(): Promise<number> {
  const task = await readTask();
  // One folder for both, on the same file system and without existing chroots.
  const folder = await Deno.makeTempDir({ dir: task.store, prefix: ".bench-" });
  try {
    await Deno.chmod(folder, 0o755); // for apt, which downloads as its own user
    const bench = await prepareBench(task, folder);
    const samples = await playRounds(
      WARM_UP,
      task.rounds,
      (round, samples) =>
        playSteps(round, [() => create(bench, samples), () => createByHand(bench, samples)]),
    );
    await printReport({
      samples,
      targets: [createTarget(samples)],
      beside: [],
      conditions: await conditionsOf(bench, task),
      notes: [],
      unit: "s",
    }, task.json);
    return 0;
  } finally {
    await removeTree(folder);
  }
}

async function prepareBench({ forms }: Task, folder: string): Promise<Bench> {
  const [store, config] = [`${folder}/store`, `${folder}/config.toml`];
  // Definitions of this host could ask for other packages.
  const settings = { store, definitions: `${folder}/definitions`, tool: "mmdebstrap" };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  await Deno.writeTextFile(config, lines.join("\n") + "\n");
  const program = [forms[0]!.program, "--config", config];
  return { program, store, tree: `${folder}/tree`, packages: undefined };
}

async function create(bench: Bench, samples: Samples): Promise<void> {
  await settle();
  const { ms, stderr } = await succeed([...bench.program, "--debug", "chroot-create", NAME]);
  await checkPackages(bench, `${bench.store}/${NAME}`);
  await succeed([...bench.program, "chroot-remove", NAME]);
  const fill = spentIn(stderr, "mmdebstrap");
  const add = (step: string, ms: number) => samples.add(CREATE.ours, step, { ms, cpu: null });
  add(CREATE.step, ms);
  add("mmdebstrap in it", fill);
  add("all else in it", ms - fill);
  add("du in it", spentIn(stderr, "du"));
  add("sync in it", spentIn(stderr, "sync"));
}

async function createByHand(bench: Bench, samples: Samples): Promise<void> {
  await settle();
  const { ms } = await succeed(byHand(bench.tree));
  await checkPackages(bench, bench.tree);
  await removeTree(bench.tree);
  samples.add(CREATE.raw, CREATE.step, { ms, cpu: null });
}

/** Returns the command; the mirror is the same, too: mmdebstrap's default. */
function byHand(tree: string): readonly string[] {
  const bootstrap: Bootstrap = {
    suite: NAME,
    tool: "mmdebstrap",
    mirror: undefined,
    components: [],
    packages: [],
    keyring: undefined,
  };
  return bootstrapArgv(bootstrap, tree, false);
}

/** Writes cached data to the disk, so that neither waits for the other's writes. */
async function settle(): Promise<void> {
  await succeed(["sync"]);
  await pause();
}

/** Returns the milliseconds of a program that chroot-create ran, from the output of --debug. */
function spentIn(stderr: string, program: string): number {
  const line = new RegExp(`^\\+ (?:setpriv .* )?${program} .* → 0 in (\\d+) ms$`, "m");
  const ms = stderr.match(line)?.[1];
  if (ms === undefined) throw new Error(`chroot-create does not print how long ${program} took`);
  return Number(ms);
}

async function checkPackages(bench: Bench, tree: string): Promise<void> {
  const status = await Deno.readTextFile(`${tree}/var/lib/dpkg/status`);
  const packages = (status.match(/^(Package|Version): .*$/gm) ?? []).join("\n");
  bench.packages ??= packages;
  if (packages === "" || packages !== bench.packages) {
    throw new Error(`${tree} has other packages than the tree before it`);
  }
}

async function removeTree(tree: string): Promise<void> {
  await succeed(["rm", "--recursive", "--force", "--one-file-system", "--", tree]);
}

async function conditionsOf(bench: Bench, { rounds }: Task): Promise<string[]> {
  const argv = ["stat", "--file-system", "--format=%T", bench.store];
  const disk = (await succeed(argv)).stdout.trim();
  const count = bench.packages?.match(/^Package: /gm)?.length;
  const mmdebstrap = (await succeed(["mmdebstrap", "--version"])).stdout.trim();
  return [
    await describeHost(),
    (await succeed([...bench.program, "--version"])).stdout.trim(),
    `chroot ${NAME}, ${count} packages, ${mmdebstrap}, on ${disk}; ${rounds} rounds, in s`,
  ];
}

await runMain(main);
