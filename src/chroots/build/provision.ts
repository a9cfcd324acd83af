/** Provisions a tree that its source has filled: packages, files, commands, a playbook. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { hostFailure, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { commonNspawnArgv } from "../../linux/nspawn.ts";
import { BUILD_MACHINE_PREFIX } from "../../linux/nspawn_leftovers.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";
import type { Recipe } from "../definition/recipe.ts";
import { ANSIBLE_PLAYBOOK, runPlaybook } from "./ansible.ts";

/** Refuses a recipe with a playbook where ansible-playbook is missing, before anything is built. */
export async function requirePlaybookProgram(host: Host, { playbook }: Recipe): Promise<void> {
  if (playbook !== null) await requireProgram(host, ANSIBLE_PLAYBOOK);
}

/** Provisions a tree: copies files, then runs the commands of `setup`, then the playbook. */
export async function provisionTree(
  host: Host,
  name: ChrootName,
  tree: string,
  { build, playbook }: Recipe,
  interrupt: AbortSignal,
): Promise<void> {
  for (const [from, to] of Object.entries(build.copy ?? {})) {
    host.log.info(`Copying ${from} to ${to}`);
    // Copied inside of the tree, so that a symlink of the tree cannot lead out of it.
    const options = [`--bind-ro=${from}:${COPIED}`];
    await runInside(host, tree, options, ["sh", "-euc", COPY_SCRIPT, "sh", to], interrupt);
  }
  for (const command of build.setup ?? []) {
    host.log.info(`Running ${command.trim().split("\n")[0]}`);
    await runInside(host, tree, [], ["sh", "-euc", command], interrupt);
  }
  if (playbook !== null) await runPlaybook(host, name, tree, playbook.path, interrupt);
}

/** The path in the tree at which the file to be copied is mounted. */
const COPIED = "/run/nspawn-runner-copy";

/** Arguments: the target in the tree. */
export const COPY_SCRIPT = `mkdir -p "$(dirname "$1")" && cp -RpT ${COPIED} "$1"`;

/** Upgrades the packages of a tree with apt, and installs packages that are missing. */
export async function upgradeTree(
  host: Host,
  tree: string,
  packages: readonly string[],
  interrupt: AbortSignal,
): Promise<void> {
  host.log.info("Upgrading packages");
  await runInside(host, tree, [], ["sh", "-euc", UPGRADE_SCRIPT, "sh", ...packages], interrupt);
}

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

/**
 * Installs packages with apt in a tree whose source did not bring them.
 *
 * @throws {Failure} where the tree has no apt, or apt fails.
 */
export async function installPackages(
  host: Host,
  tree: string,
  packages: readonly string[],
  interrupt: AbortSignal,
): Promise<void> {
  if (packages.length === 0) return;
  if (!await hasApt(host, tree)) {
    throw refused(
      "Cannot install packages: the chroot has no apt",
      "Install them by commands in setup of the definition",
    );
  }
  host.log.info(`Installing ${packages.join(", ")}`);
  await runInside(host, tree, [], ["sh", "-euc", INSTALL_SCRIPT, "sh", ...packages], interrupt);
}

/** Tells whether a tree has apt. */
export async function hasApt(host: Host, tree: string): Promise<boolean> {
  return await host.files.lstat(`${tree}/usr/bin/apt-get`) !== null;
}

async function runInside(
  host: Host,
  tree: string,
  options: readonly string[],
  argv: readonly string[],
  interrupt: AbortSignal,
): Promise<void> {
  const isRegistered = await isSystemdHost(host);
  try {
    await runTool(
      host,
      [
        ...commonNspawnArgv({
          machine: `${BUILD_MACHINE_PREFIX}setup-${host.pid()}`,
          registration: isRegistered ? "scope" : "none",
          timezone: await timezoneOptions(host, tree),
        }),
        `--directory=${tree}`,
        "--as-pid2",
        "--resolv-conf=replace-host",
        "--setenv=DEBIAN_FRONTEND=noninteractive",
        ...options,
        "--",
        ...argv,
      ],
      {},
      interrupt,
      // To register a scope, nspawn needs its real pid.
      { confined: !isRegistered },
    );
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw hostFailure("Cannot provision the tree: a command failed", "See its output above", error);
  }
}
