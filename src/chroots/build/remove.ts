/** Removes chroots. */

import { join } from "@std/path/posix";
import { type ChrootName, namesOfImage } from "../../config/chroot_name.ts";
import { hostFailure } from "../../failure.ts";
import { removeTrees } from "../../linux/tree.ts";
import { until } from "../../linux/wait.ts";
import { unknownImage } from "../find/image_failures.ts";
import type { ChrootContext } from "../generations/context.ts";
import { whileChrootLocked } from "../generations/lock.ts";
import { inUse, machinesOf } from "../generations/chroot_machines.ts";
import { requireOwned } from "../generations/ownership.ts";
import { chrootPaths, removalPath, removalsFolder } from "../generations/paths.ts";
import { currentNumber } from "../generations/record.ts";
import { recoverStore } from "../generations/recover.ts";

/**
 * Removes a chroot with all its generations. Its definition and playbook stay.
 *
 * @param image The chroot, as a person wrote it.
 * @param whenIdle Whether to wait for machines that use the chroot, instead of refusing.
 * @throws {Failure} where there is no such chroot, or it is in use.
 */
export async function removeChroot(
  context: ChrootContext,
  image: string,
  whenIdle: boolean,
): Promise<void> {
  const { host, config } = context;
  await recoverStore(host, config.store);
  for (const name of namesOfImage(image)) {
    // A file of that name is no chroot.
    const stat = await host.files.stat(chrootPaths(config.store, name).path);
    if (stat?.kind !== "directory") continue;
    await whileChrootLocked(context, name, async () => {
      await requireOwned(host, config.store, name, "remove");
      await removeTrees(host, await takeOut(context, name, whenIdle));
    });
    host.log.info(`Removed chroot ${name}`);
    return;
  }
  throw await unknownImage(host, config, image);
}

/**
 * Moves the trees of a chroot out of its place, while no machine uses it.
 *
 * @returns The folder to which they were moved.
 */
async function takeOut(
  context: ChrootContext,
  name: ChrootName,
  whenIdle: boolean,
): Promise<string> {
  const { host, config, machines, interrupt } = context;
  const removal = removalPath(config.store, name, host.clock.now());
  let lastLogged = "";
  const moveUnlessUsed = async () => {
    // No machine can start between the check and the move.
    const users = await machines.whileNoneStarts(async () => {
      const users = await machinesOf(host, config.store, machines, name);
      if (users.length === 0) await moveOut(context, name, removal);
      return users;
    });
    if (users.length === 0) return true;
    if (!whenIdle) throw inUse(users, name, "remove", "--when-idle waits for that");
    const list = users.map(({ machine }) => machine).join(", ");
    if (list !== lastLogged) host.log.info(`Waiting for ${list}`);
    lastLogged = list;
    return false;
  };
  const wait = { interval: IDLE_INTERVAL, signal: interrupt };
  if (!interrupt.aborted && await until(host, wait, moveUnlessUsed)) return removal;
  throw hostFailure(`Cannot remove chroot ${name}: interrupted`);
}

/** Milliseconds between two looks whether machines still use a chroot. */
const IDLE_INTERVAL = 500;

/** Moves the generations before the symlink: recoverStore() removes a symlink to nothing. */
async function moveOut(
  { host, config: { store } }: ChrootContext,
  name: ChrootName,
  removal: string,
): Promise<void> {
  const { path, generations } = chrootPaths(store, name);
  if (await currentNumber(host, store, name) === null) {
    await host.files.makeDirectory(removal);
    return await host.files.rename(path, join(removal, "0"));
  }
  await host.files.makeDirectory(removalsFolder(store));
  await host.files.rename(generations, removal);
  await host.files.remove(path);
}
