/** Opens a shell in a chroot that is not booted. */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { Ending } from "../../ending.ts";
import type { Argv, Host } from "../../host/host.ts";
import { runInForeground } from "../../linux/foreground.ts";
import { commonNspawnArgv } from "../../linux/nspawn.ts";
import { BUILD_MACHINE_PREFIX } from "../../linux/nspawn_leftovers.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import { toolEnvironment } from "../../linux/tool.ts";
import { readRecipe } from "../definition/recipe.ts";
import type { Chroot } from "../find/chroot.ts";
import { currentTree } from "../find/lookup.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import { changeChroot } from "../generations/change_chroot.ts";
import type { ChrootContext } from "../generations/context.ts";
import { inUse } from "../generations/chroot_machines.ts";
import { requireOwned } from "../generations/ownership.ts";
import { recoverStore } from "../generations/recover.ts";
import { finishBuild } from "./finish_build.ts";
import { copyCurrent } from "./update.ts";

/**
 * Opens a shell in a copy of a chroot, on this process's own streams. Afterwards the copy becomes
 * the chroot's new generation, unless the person at the terminal declines; without a terminal,
 * unless the shell failed.
 *
 * @returns How the shell ended.
 * @throws {Failure} where another process changes the chroot, or jobs could not run in the changed
 *   tree.
 */
export async function logIn(context: ChrootContext, { name }: Chroot): Promise<Ending> {
  const { host, config } = context;
  await recoverStore(host, config.store);
  return await changeChroot(context, name, "log in to", async () => {
    await requireOwned(host, config.store, name, "log in to a copy of");
    const { settings } = await readRecipe(host, config, name);
    await using folder = await openBuildFolder(host, config.store, name);
    const origin = await copyCurrent(context, name, folder.tree);
    const code = await openShell(host, name, folder.tree);
    if (await wantsToKeep(context, name, code)) {
      const number = await finishBuild(context, name, { ...origin, settings });
      host.log.info(`Chroot ${name} has generation ${number} now`);
    } else {
      host.log.info(`Chroot ${name} is as it was: the changes are discarded`);
    }
    return { kind: "exited", code };
  });
}

async function wantsToKeep(
  { host, interrupt }: ChrootContext,
  name: ChrootName,
  code: number,
): Promise<boolean> {
  if (interrupt.aborted) return false;
  if (!host.terminal.is("stdin") || !host.terminal.is("stderr")) return code === 0;
  const question = `Keep the changes, as the new generation of ${name}? [Y/n] `;
  const answer = await host.terminal.ask(question, interrupt);
  return !interrupt.aborted && !/^\s*n/i.test(answer ?? "");
}

/**
 * Opens a shell in the tree of a chroot itself: changes take effect at once.
 *
 * @returns How the shell ended.
 * @throws {Failure} where machines run from the tree, or another process changes the chroot.
 */
export async function logInDirectly(context: ChrootContext, { name }: Chroot): Promise<Ending> {
  const { host, config: { store }, machines } = context;
  await recoverStore(host, store);
  return await changeChroot(context, name, "log in to", async () => {
    const { path: tree } = await currentTree(host, store, name);
    // A machine on a btrfs snapshot does not see the changes.
    const readers = (await machines.list()).filter(({ chroot, storage }) =>
      chroot.path === tree && storage !== "btrfs"
    );
    if (readers.length > 0) {
      throw inUse(readers, name, "log in to", "without --direct you work on a copy");
    }
    // Layers do not notice the changes. They go before, too, since this process may be killed with
    // the shell.
    await machines.dropLayers(tree);
    const code = await openShell(host, name, tree);
    await machines.dropLayers(tree);
    return { kind: "exited", code };
  });
}

async function openShell(host: Host, name: ChrootName, tree: string): Promise<number> {
  const term = host.env("TERM");
  const env = toolEnvironment(host, term === undefined ? {} : { TERM: term });
  const argv = loginArgv(name, tree, {
    terminal: host.terminal.is("stdin") && host.terminal.is("stdout"),
    isRegistered: await isSystemdHost(host),
    pid: host.pid(),
    timezone: await timezoneOptions(host, tree),
  });
  return await runInForeground(host, argv, env);
}

/** What the command line of a shell depends on. */
export interface LoginOptions {
  /** Whether stdin and stdout are a terminal. */
  readonly terminal: boolean;
  /** Whether the machine is registered with systemd-machined. */
  readonly isRegistered: boolean;
  /** This process. */
  readonly pid: number;
  /** nspawn's options for the time zone. */
  readonly timezone: readonly string[];
}

/** Returns the command line that opens a shell in a tree. */
export function loginArgv(
  name: ChrootName,
  tree: string,
  { terminal, isRegistered, pid, timezone }: LoginOptions,
): Argv {
  // A machine's name allows fewer characters than a chroot's, and at most 64.
  const chroot = name.replaceAll(/[^A-Za-z0-9]+/g, "-").slice(0, 36).replace(/-+$/, "");
  return [
    ...commonNspawnArgv({
      machine: `${BUILD_MACHINE_PREFIX}login-${chroot}-${pid}`,
      registration: isRegistered ? "scope" : "none",
      terminal,
      timezone,
    }),
    `--hostname=login-${chroot}`,
    `--directory=${tree}`,
    "--as-pid2",
  ];
}
