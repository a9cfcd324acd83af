/**
 * The benchmark of making a chroot: chroot-create of the installed program, and mmdebstrap by hand with
 * the same words on the same disk, in alternation. Run by bench/run.sh --create.
 *
 * @module
 */

import { type Bootstrap, bootstrapArgv } from "../src/chroots/sources/bootstrap.ts";
import { print, runMain } from "./entry.ts";
import { rest, type Samples, succeed } from "./measure.ts";
import { CREATE_USAGE, type CreateOptions, readCreateOptions } from "./options.ts";
import { type Circumstances, CREATE, createTargets, jsonOf, tableOf } from "./report.ts";
import { playRounds, playSteps } from "./rounds.ts";
import { describeHost, findProgram } from "./system.ts";

/** The chroot, and its suite. */
const NAME = "bookworm";
/** Rounds that fill what caches there are and do not count. */
const WARM_UP = 1;

/** What a round works with. */
interface Bench {
  readonly program: readonly string[];
  readonly store: string;
  /** Where the tree by hand is made. */
  readonly tree: string;
  /** Of the first tree: a tree with other packages was not made by the same work. */
  packages: string | undefined;
}

async function main(): Promise<number> {
  const options = readCreateOptions(Deno.args);
  if (options === null) return print(CREATE_USAGE);
  // One folder for both sides: they write to one file system, and meet no chroot that is there.
  const folder = await Deno.makeTempDir({ dir: options.store, prefix: ".bench-" });
  try {
    await Deno.chmod(folder, 0o755); // open for apt, which fetches as a user of its own
    const bench = await prepareBench(options, folder);
    const samples = await playRounds(
      WARM_UP,
      options.rounds,
      (round, samples) =>
        playSteps(round, [() => create(bench, samples), () => createByHand(bench, samples)]),
    );
    const report = options.json ? jsonOf : tableOf;
    return print(
      report(samples, await circumstances(bench, options), createTargets(samples), []),
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

/** The mirror, too, is the same: what mmdebstrap takes when nothing names one. */
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

/** What was written before is on the disk, so that nobody waits for the other's writes. */
async function settle(): Promise<void> {
  await succeed(["sync"]);
  await rest();
}

/** Milliseconds of a program that chroot-create ran, as it tells with --debug. */
function spentIn(stderr: string, program: string): number {
  const line = new RegExp(`^\\+ (?:setpriv .* )?${program} .* → 0 in (\\d+) ms$`, "m");
  const ms = stderr.match(line)?.[1];
  if (ms === undefined) throw new Error(`chroot-create does not tell what ${program} took`);
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

async function circumstances(bench: Bench, { rounds }: CreateOptions): Promise<Circumstances> {
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
