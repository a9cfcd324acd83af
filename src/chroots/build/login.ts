/** Opens a shell in a chroot, in a machine that has the chroot's tree as its root. */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { Ending } from "../../ending.ts";
import { readRecipe } from "../definition/recipe.ts";
import type { Chroot } from "../find/chroot.ts";
import { currentTree } from "../find/lookup.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import { changeChroot } from "../generations/change_chroot.ts";
import type { Candidate, ChrootContext } from "../generations/context.ts";
import { inUse } from "../generations/chroot_machines.ts";
import { requireOwned } from "../generations/ownership.ts";
import { recoverStore } from "../generations/recover.ts";
import { strangerOf } from "../generations/stranger.ts";
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
    const { tree } = folder;
    const build = await copyCurrent(context, name, tree);
    const { image, stranger } = build;
    const code = await openShell(context, { name, tree, image, stranger, settings });
    if (await wantsToKeep(context, name, code)) {
      const number = await finishBuild(context, name, { ...build, settings });
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
  const { host, config, machines } = context;
  const { store } = config;
  await recoverStore(host, store);
  return await changeChroot(context, name, "log in to", async () => {
    const { path: tree, image } = await currentTree(host, store, name);
    const { settings } = await readRecipe(host, config, name);
    const stranger = await strangerOf(host, tree);
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
    const code = await openShell(context, { name, tree, image, stranger, settings });
    await machines.dropLayers(tree);
    return { kind: "exited", code };
  });
}

async function openShell(
  context: ChrootContext,
  candidate: Candidate,
): Promise<number> {
  return await context.withBuildMachine(
    { ...candidate, files: null },
    context.interrupt,
    (machine) => machine.openShell(),
  );
}
