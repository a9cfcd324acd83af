/**
 * The benchmark of chroot-create: the installed program and mmdebstrap by hand with the same arguments on the same
 * disk, in alternation. bench/run.sh --create runs it.
 *
 * @module
 */

import { type Bootstrap, bootstrapArgv } from "../src/chroots/sources/bootstrap.ts";
import { print, runMain } from "./entry.ts";
import { pause, type Samples, succeed } from "./measure.ts";
import { CREATE_USAGE, type CreateOptions, readCreateOptions } from "./options.ts";
import { type Conditions, CREATE, createTargets, jsonOf, tableOf } from "./report.ts";
import { playRounds, playSteps } from "./rounds.ts";
import { describeHost, findProgram } from "./system.ts";

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
  const options = readCreateOptions(Deno.args);
  if (options === null) return print(CREATE_USAGE);
  // One folder for both, on the same file system and without existing chroots.
  const folder = await Deno.makeTempDir({ dir: options.store, prefix: ".bench-" });
  try {
    await Deno.chmod(folder, 0o755); // for apt, which downloads as its own user
    const bench = await prepareBench(options, folder);
    const samples = await playRounds(
      WARM_UP,
      options.rounds,
      (round, samples) =>
        playSteps(round, [() => create(bench, samples), () => createByHand(bench, samples)]),
    );
    const report = options.json ? jsonOf : tableOf;
    return print(
      report(samples, await conditionsOf(bench, options), createTargets(samples), []),
    );
  } finally {
    await removeTree(folder);
  }
}

async function prepareBench(options: CreateOptions, folder: string): Promise<Bench> {
  const [store, config] = [`${folder}/store`, `${folder}/config.toml`];
  // Definitions of this host could ask for other packages.
  const settings = { store, definitions: `${folder}/definitions`, tool: "mmdebstrap" };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  await Deno.writeTextFile(config, lines.join("\n") + "\n");
  const program = [await findProgram(options.program), "--config", config];
  return { program, store, tree: `${folder}/tree`, packages: undefined };
}

async function create(bench: Bench, samples: Samples): Promise<void> {
  await settle();
  const { ms, stderr } = await succeed([...bench.program, "--debug", "chroot-create", NAME]);
  await checkPackages(bench, `${bench.store}/${NAME}`);
  await succeed([...bench.program, "chroot-remove", NAME]);
  const fill = spentIn(stderr, "mmdebstrap");
  samples.add(CREATE.ours, ms);
  samples.add(CREATE.fill, fill);
  samples.add(CREATE.others, ms - fill);
  samples.add(CREATE.du, spentIn(stderr, "du"));
  samples.add(CREATE.sync, spentIn(stderr, "sync"));
}

async function createByHand(bench: Bench, samples: Samples): Promise<void> {
  await settle();
  const { ms } = await succeed(byHand(bench.tree));
  await checkPackages(bench, bench.tree);
  await removeTree(bench.tree);
  samples.add(CREATE.floor, ms);
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

async function conditionsOf(bench: Bench, { rounds }: CreateOptions): Promise<Conditions> {
  const argv = ["stat", "--file-system", "--format=%T", bench.store];
  const disk = (await succeed(argv)).stdout.trim();
  const count = bench.packages?.match(/^Package: /gm)?.length;
  const mmdebstrap = (await succeed(["mmdebstrap", "--version"])).stdout.trim();
  return {
    program: (await succeed([...bench.program, "--version"])).stdout.trim(),
    host: await describeHost(),
    machine: `chroot ${NAME}, ${count} packages, ${mmdebstrap}, on ${disk}`,
    rounds,
    unit: "s",
  };
}

await runMain(main);
