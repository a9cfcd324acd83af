/** Provisions a tree that its source has filled: packages, files, commands, a playbook. */

import { join } from "@std/path/posix";
import { hostFailure, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";
import type { Recipe } from "../definition/recipe.ts";
import type { BuildMachine, Candidate, ChrootContext } from "../generations/context.ts";
import { chrootPaths } from "../generations/paths.ts";
import { ANSIBLE_PLAYBOOK, runPlaybook } from "./ansible.ts";
import { collectFiles, refuseForeignOwners } from "./host_files.ts";

/** Refuses a recipe with a playbook where ansible-playbook is missing, before anything is built. */
export async function requirePlaybookProgram(host: Host, { playbook }: Recipe): Promise<void> {
  if (playbook !== null) await requireProgram(host, ANSIBLE_PLAYBOOK);
}

/** A tree to provision. */
export interface Provisioning extends Omit<Candidate, "settings"> {
  readonly recipe: Recipe;
  /** Packages to install, where the source did not bring them. */
  readonly packages: readonly string[];
  /** Whether the packages of the tree are upgraded before. */
  readonly upgrades: boolean;
}

/**
 * Provisions a tree in a machine that has it as its root: upgrades and installs packages, copies files, then runs the
 * commands of `setup`, then the playbook. Starts no machine where there is nothing to do.
 *
 * @throws {Failure} where the tree has no apt for the packages, or a step fails.
 */
export async function provisionTree(
  context: ChrootContext,
  { name, tree, image, stranger, recipe, packages, upgrades }: Provisioning,
): Promise<void> {
  const { host, config, interrupt } = context;
  const { build: { copy = {}, setup = [] }, playbook, settings } = recipe;
  if (packages.length > 0) await requireApt(host, tree);
  const copies = Object.entries(copy);
  const sources = copies.map(([from]) => from);
  const steps = [upgrades, packages.length > 0, copies.length > 0, setup.length > 0];
  if (playbook === null && !steps.includes(true)) return;
  const folder = join(chrootPaths(config.store, name).scratch, "copy");
  const files = copies.length === 0 ? null : { from: folder, to: COPIED };
  if (files !== null) await provisioning(collectFiles(host, sources, folder, interrupt), interrupt);
  const request = { name, tree, image, settings, stranger, files };
  await context.withBuildMachine(request, interrupt, async (machine) => {
    const run = (script: string, ...words: string[]) =>
      runIn(host, machine, ["sh", "-euc", script, "sh", ...words], interrupt);
    if (upgrades) {
      host.log.info("Upgrading packages");
      await run(UPGRADE_SCRIPT, ...packages);
    } else if (packages.length > 0) {
      host.log.info(`Installing ${packages.join(", ")}`);
      await run(INSTALL_SCRIPT, ...packages);
    }
    if (files !== null) await refuseForeignOwners(host, sources, machine.ids);
    for (const [index, [from, to]] of copies.entries()) {
      host.log.info(`Copying ${from} to ${to}`);
      await run(COPY_SCRIPT, `${COPIED}/${index}`, to);
    }
    for (const command of setup) {
      host.log.info(`Running ${command.trim().split("\n")[0]}`);
      await runIn(host, machine, ["sh", "-euc", command], interrupt);
    }
    if (playbook !== null) await runPlaybook(host, { name, tree, playbook, machine }, interrupt);
  });
}

/** The path in the machine at which the files to be copied are mounted. */
const COPIED = "/run/nspawn-runner-copy";

/** Arguments: the file, its target. It runs in the machine, so that no symlink of the tree leads out of it. */
export const COPY_SCRIPT = 'mkdir -p "$(dirname "$2")" && cp -RpT "$1" "$2"';

const APT = "apt-get -q -y -o Dpkg::Options::=--force-confold";

/** Arguments: packages. */
export const INSTALL_SCRIPT = `apt-get -q update
${APT} --no-install-recommends install -- "$@"
apt-get -q clean
`;

/** Arguments: packages that are to be installed. */
export const UPGRADE_SCRIPT = `apt-get -q update
${APT} dist-upgrade
[ $# = 0 ] || ${APT} --no-install-recommends install -- "$@"
apt-get -q clean
`;

async function requireApt(host: Host, tree: string): Promise<void> {
  if (await hasApt(host, tree)) return;
  throw refused(
    "Cannot install packages: the chroot has no apt",
    "Install them by commands in setup of the definition",
  );
}

/** Tells whether a tree has apt. */
export async function hasApt(host: Host, tree: string): Promise<boolean> {
  return await host.files.lstat(`${tree}/usr/bin/apt-get`) !== null;
}

/** Runs a command in the machine; the environment of tools, with the proxies, goes with it. */
function runIn(
  host: Host,
  machine: BuildMachine,
  argv: readonly string[],
  interrupt: AbortSignal,
): Promise<void> {
  // To enter the machine takes the host's process ids.
  const options = { confined: false, piped: true };
  return provisioning(runTool(host, machine.enter(argv), {}, interrupt, options), interrupt);
}

async function provisioning(step: Promise<void>, interrupt: AbortSignal): Promise<void> {
  try {
    await step;
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw hostFailure("Cannot provision the tree: a command failed", "See its output above", error);
  }
}
