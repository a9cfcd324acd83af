/** What a tree gets besides what its source brought: files, commands, a playbook. */

import { hostFailure, messageOf, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { WORKSHOP } from "../../linux/nspawn_leftovers.ts";
import { commonNspawnArgv } from "../../linux/nspawn.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import { ANSIBLE_PLAYBOOK, runPlaybook } from "./ansible.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { Recipe } from "../definition/recipe.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";

/**
 * Refuses before anything is begun where a program is missing that furnishing needs.
 *
 * @param host The outside.
 * @param recipe What the chroot gets.
 * @throws {Failure} that names the package.
 */
export async function requirePlaybookProgram(host: Host, { playbook }: Recipe): Promise<void> {
  if (playbook !== null) await requireProgram(host, ANSIBLE_PLAYBOOK);
}

/**
 * Furnishes a tree: files first, then commands, then the playbook.
 *
 * @param host The outside.
 * @param name The chroot.
 * @param tree Its tree.
 * @param recipe What it gets.
 * @param interrupt Gives up when aborted.
 * @throws {Failure} of the host where one of them fails.
 */
export async function provisionTree(
  host: Host,
  name: ChrootName,
  tree: string,
  { build, playbook }: Recipe,
  interrupt: AbortSignal,
): Promise<void> {
  for (const [from, to] of Object.entries(build.copy ?? {})) {
    host.log.info(`Copying ${from} to ${to}`);
    // From inside, where no link of the tree leads out of it.
    const options = [`--bind-ro=${from}:${COPIED}`];
    await runInside(host, tree, options, ["sh", "-euc", COPY_SCRIPT, "sh", to], interrupt);
  }
  for (const command of build.setup ?? []) {
    host.log.info(`Running ${command.trim().split("\n")[0]}`);
    await runInside(host, tree, [], ["sh", "-euc", command], interrupt);
  }
  if (playbook !== null) await runPlaybook(host, name, tree, playbook.path, interrupt);
}

/** Where a tree sees what is copied into it. */
const COPIED = "/run/nspawn-runner-copy";

/** Words: the place in the chroot. */
export const COPY_SCRIPT = `mkdir -p "$(dirname "$1")" && cp -RpT ${COPIED} "$1"`;

/**
 * Brings the packages of a tree up to date, where its system has apt, and installs those that are missing.
 *
 * @param host The outside.
 * @param tree The tree.
 * @param packages Those that it is to have.
 * @param interrupt Gives up when aborted.
 * @throws {Failure} of the host where that fails.
 */
export async function upgradeTree(
  host: Host,
  tree: string,
  packages: readonly string[],
  interrupt: AbortSignal,
): Promise<void> {
  host.log.info("Upgrading its packages");
  await runInside(host, tree, [], ["sh", "-euc", UPGRADE_SCRIPT, "sh", ...packages], interrupt);
}

const APT = "apt-get -q -y -o Dpkg::Options::=--force-confold";

/** Words: packages. */
export const INSTALL_SCRIPT = `apt-get -q update
${APT} --no-install-recommends install -- "$@"
apt-get -q clean
`;

/** Words: packages. */
export const UPGRADE_SCRIPT = `apt-get -q update
${APT} dist-upgrade
[ $# = 0 ] || ${APT} --no-install-recommends install -- "$@"
apt-get -q clean
`;

/**
 * Installs packages in a tree whose source knows nothing of them.
 *
 * @param host The outside.
 * @param tree The tree.
 * @param packages Those that it is to have.
 * @param interrupt Gives up when aborted.
 * @throws {Failure} where it has no apt, or that fails.
 */
export async function installPackages(
  host: Host,
  tree: string,
  packages: readonly string[],
  interrupt: AbortSignal,
): Promise<void> {
  if (packages.length === 0) return;
  if (!await canUpgrade(host, tree)) {
    throw refused(
      "Cannot install packages: it has no apt",
      "Install them by commands of its own, in setup",
    );
  }
  host.log.info(`Installing ${packages.join(", ")}`);
  await runInside(host, tree, [], ["sh", "-euc", INSTALL_SCRIPT, "sh", ...packages], interrupt);
}

/**
 * Whether the packages of a tree can be brought up to date.
 *
 * @param host The outside.
 * @param tree The tree.
 * @returns True where it has apt.
 */
export async function canUpgrade(host: Host, tree: string): Promise<boolean> {
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
          machine: `${WORKSHOP}setup-${host.pid()}`,
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
    throw hostFailure("Cannot set it up: a command in it failed", messageOf(error));
  }
}
