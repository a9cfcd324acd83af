/** Stores with a helper root, in which GitLab Runner's own stages run. */

import { must } from "../hosts/command.ts";
import type { TestHost } from "../hosts/host.ts";
import { busyboxRoot, helperChroot } from "../hosts/roots.ts";
import { newJob, type Settings, type Site } from "../hosts/site.ts";
import { withStore } from "./store.ts";

/** The name of a chroot of busybox alone. */
export const BUSYBOX = "box";

/** Copies of the helper root by their host. */
const helpers = new Map<TestHost, Promise<string>>();

async function copyHelper(host: TestHost): Promise<string> {
  const path = `${host.store}/.tests/helper-${newJob()}`;
  await must(["cp", "--archive", "--reflink=auto", await helperChroot(), host.outerPath(path)]);
  return path;
}

/** Links a copy of the helper root into a store. */
export async function linkHelper({ host, store }: Site): Promise<void> {
  const helper = helpers.get(host) ?? copyHelper(host);
  helpers.set(host, helper);
  await Deno.mkdir(host.outerPath(store), { recursive: true });
  await Deno.symlink(await helper, host.outerPath(`${store}/helper`));
}

/**
 * Runs a test with a new store that has a helper root and the chroot {@linkcode BUSYBOX}.
 *
 * @param settings Settings in addition to those of withStore().
 */
export async function withTwoRoots(
  site: Site,
  settings: Settings,
  body: (own: Site) => Promise<void>,
): Promise<void> {
  await withStore(site, settings, async (own) => {
    await linkHelper(own);
    await addBusybox(own);
    await body(own);
  });
}

/** Copies the chroot {@linkcode BUSYBOX} into a store. */
export async function addBusybox({ host, store }: Site): Promise<void> {
  const box = host.outerPath(`${store}/${BUSYBOX}`);
  await Deno.mkdir(host.outerPath(store), { recursive: true });
  await must(["cp", "--archive", await busyboxRoot(), box]);
  await Deno.mkdir(`${box}/usr`);
}
