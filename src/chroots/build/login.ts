/** A shell in a chroot, which is not booted. */

import type { Ending } from "../../ending.ts";
import { attend } from "../../linux/foreground.ts";
import type { Argv, Host } from "../../host/host.ts";
import { WORKSHOP } from "../../linux/nspawn_leftovers.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import { removeShiftedLayersOf } from "../../machines/storage/shifted/remove_unused.ts";
import type { Chroot } from "../find/chroot.ts";
import { changeChroot, changeCopy } from "./create.ts";
import { currentTree } from "../find/lookup.ts";
import { requireOwned } from "../generations/ownership.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { readRecipe } from "../definition/recipe.ts";
import { toolEnvironment } from "../../linux/tool.ts";
import { inUse } from "../generations/machines_port.ts";
import type { ChrootContext } from "../generations/context.ts";

/**
 * Opens a shell in a copy of a chroot, on our own streams. The copy is the chroot's new generation when the
 * shell has ended, unless the person at the terminal says no; without one, unless the shell failed.
 *
 * @param work How it is worked.
 * @param chroot Where.
 * @returns How the shell ended.
 * @throws {Failure} where somebody changes the chroot, or its new tree is not fit for jobs.
 */
export async function logIn(work: ChrootContext, chroot: Chroot): Promise<Ending> {
  const { host, config: { store } } = work;
  return await changeChroot(work, chroot.name, "log in to", async () => {
    await requireOwned(host, store, chroot.name, "log in to a copy of");
    const { settings } = await readRecipe(host, work.config, chroot.name);
    let code = 0;
    try {
      const number = await changeCopy(work, chroot.name, settings, async (tree) => {
        code = await openShell(host, chroot.name, tree);
        if (!await keeps(work, chroot.name, code)) throw new Discarded();
        return null;
      });
      host.log.info(`Chroot ${chroot.name} has generation ${number} now`);
    } catch (error) {
      if (!(error instanceof Discarded)) throw error;
      host.log.info(`Chroot ${chroot.name} is as it was: the changes are discarded`);
    }
    return { kind: "exited", code };
  });
}

/** The changes are not wanted. */
class Discarded extends Error {}

async function keeps(
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
 * Opens a shell in the very tree of a chroot. What is changed there stays, at once.
 *
 * @param work How it is worked.
 * @param chroot Where.
 * @returns How the shell ended.
 * @throws {Failure} where machines run from it, or somebody changes it.
 */
export async function logInDirectly(work: ChrootContext, chroot: Chroot): Promise<Ending> {
  const { host, config: { store }, machines: users } = work;
  return await changeChroot(work, chroot.name, "log in to", async () => {
    const { path: tree } = await currentTree(host, store, chroot.name);
    // A machine that has a snapshot of its own does not see what is changed.
    const reading = (await users.list()).filter((user) =>
      user.chroot.path === tree && user.storage !== "btrfs"
    );
    if (reading.length > 0) {
      throw inUse(reading, chroot.name, "log in to", "without --direct you work on a copy");
    }
    // Of what is changed now they know nothing; before, too, since the shell may be killed with us.
    await removeShiftedLayersOf(host, store, tree);
    const code = await openShell(host, chroot.name, tree);
    await removeShiftedLayersOf(host, store, tree);
    return { kind: "exited", code };
  });
}

async function openShell(host: Host, name: ChrootName, tree: string): Promise<number> {
  const term = host.env("TERM");
  const env = toolEnvironment(host, term === undefined ? {} : { TERM: term });
  const argv = loginArgv(name, tree, {
    terminal: host.terminal.is("stdin") && host.terminal.is("stdout"),
    systemd: await host.files.lstat("/run/systemd/system") !== null,
    pid: host.pid(),
    timezone: await timezoneOptions(host, tree),
  });
  return await attend(host, argv, env);
}

/** What a shell's surroundings are like. */
export interface LoginOptions {
  /** Whether we have a terminal to hand on. */
  readonly terminal: boolean;
  /** Whether systemd is PID 1: only then is there somebody to register with. */
  readonly systemd: boolean;
  /** Our own process id. */
  readonly pid: number;
  /** nspawn's options for the time zone. */
  readonly timezone: readonly string[];
}

/**
 * The command line that opens the shell.
 *
 * @param name The chroot.
 * @param tree Its tree.
 * @param surroundings Where that happens.
 * @returns The words.
 */
export function loginArgv(
  name: ChrootName,
  tree: string,
  { terminal, systemd, pid, timezone }: LoginOptions,
): Argv {
  // A machine's name may not hold all that a chroot's may.
  const chroot = name.replaceAll(/[^A-Za-z0-9]+/g, "-").slice(0, 36).replace(/-+$/, "");
  return [
    "systemd-nspawn",
    "--quiet",
    `--machine=${WORKSHOP}login-${chroot}-${pid}`,
    `--hostname=login-${chroot}`,
    `--directory=${tree}`,
    ...(systemd ? [] : ["--register=no", "--keep-unit"]),
    ...timezone,
    `--console=${terminal ? "interactive" : "pipe"}`,
    "--as-pid2",
  ];
}
