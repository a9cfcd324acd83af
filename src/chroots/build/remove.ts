/** Removes chroots. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import { requireOwned } from "../generations/ownership.ts";
import { currentNumber } from "../generations/record.ts";
import { unknownImage } from "../find/list.ts";
import { whileLocked } from "../generations/lock.ts";
import { type ChrootName, namesOfImage } from "../../config/chroot_name.ts";
import { chrootPlaces, removalPath, removalsFolder } from "../generations/places.ts";
import { recoverStore } from "../generations/recover.ts";
import { removeTrees } from "../../linux/tree.ts";
import { inUse, machinesOf } from "../generations/machines_port.ts";
import type { ChrootContext } from "../generations/context.ts";

/**
 * Removes a chroot with all its generations; its definition and playbook stay.
 *
 * @param work How it is worked.
 * @param image The chroot, as a person wrote it.
 * @param whenIdle Whether to wait for machines that use it, instead of refusing.
 * @throws {Failure} where there is none, or somebody uses it.
 */
export async function removeChroot(
  work: ChrootContext,
  image: string,
  whenIdle: boolean,
): Promise<void> {
  const { host, config } = work;
  await recoverStore(host, config.store);
  for (const name of namesOfImage(image)) {
    // A file of that name is none of ours.
    const stat = await host.files.stat(chrootPlaces(config.store, name).path);
    if (stat?.kind !== "directory") continue;
    await whileLocked(work, name, async () => {
      await requireOwned(host, config.store, name, "remove");
      await removeTrees(host, await takeOut(work, name, whenIdle));
    });
    host.log.info(`Removed chroot ${name}`);
    return;
  }
  throw await unknownImage(host, config, image);
}

/** Takes a chroot out of its place at a moment when nobody uses it; tells where its trees are then. */
async function takeOut(work: ChrootContext, name: ChrootName, whenIdle: boolean): Promise<string> {
  const { host, config, machines: users, interrupt } = work;
  const leaving = removalPath(config.store, name, host.clock.now());
  let told = "";
  while (!interrupt.aborted) {
    // In one moment: between a look and a move a machine could begin to use it.
    const found = await users.whileNoneStarts(async () => {
      const found = await machinesOf(host, config.store, users, name);
      if (found.length === 0) await moveOut(work, name, leaving);
      return found;
    });
    if (found.length === 0) return leaving;
    if (!whenIdle) throw inUse(found, name, "remove", "--when-idle waits for that");
    const machines = found.map(({ machine }) => machine).join(", ");
    if (machines !== told) host.log.info(`Waiting for ${machines}`);
    told = machines;
    await host.clock.sleep(PAUSE);
  }
  throw hostFailure(`Cannot remove chroot ${name}: interrupted`);
}

/** Milliseconds between two looks for machines. */
const PAUSE = 500;

/** Generations first: a link that leads to nothing is no chroot, and the next sweep removes it. */
async function moveOut(
  { host, config: { store } }: ChrootContext,
  name: ChrootName,
  leaving: string,
): Promise<void> {
  const { path, generations } = chrootPlaces(store, name);
  if (await currentNumber(host, store, name) === null) {
    await host.files.makeDirectory(leaving);
    return await host.files.rename(path, join(leaving, "0"));
  }
  await host.files.makeDirectory(removalsFolder(store));
  await host.files.rename(generations, leaving);
  await host.files.remove(path);
}
