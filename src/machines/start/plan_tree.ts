/** How a machine will start from a tree: decided before the host-wide lock is taken, since it may need trials. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { parseSize } from "../../text/size.ts";
import { canMapOwners } from "../record/ids.ts";
import { machinePaths } from "../record/paths.ts";
import type { BaseTree, MachinePlan } from "../record/plan.ts";
import { findUser, type MachineUser } from "../record/user.ts";
import { chooseStorage } from "../storage/choose.ts";
import type { Storage } from "../storage/storage.ts";
import type { ReadyHost } from "./ready_host.ts";

/** What this host can do with one tree. */
export interface TreePlan {
  readonly tree: BaseTree;
  /** Changes when another tree takes the path. */
  readonly identity: string;
  readonly storage: Storage;
  readonly booted: boolean;
  /** The user of scripts; null for root. */
  readonly user: MachineUser | null;
  readonly owners: FileOwners;
}

/**
 * Who owns the files that the machine sees: the host's own ids, ids of the machine mapped by the kernel, or ids
 * of the machine given by a shifted layer, which is one of those in `layers`.
 */
export type FileOwners =
  | { readonly kind: "host" }
  | { readonly kind: "mapped" }
  | { readonly kind: "shifted"; readonly layers: string };

/**
 * Decides how the machine starts from a tree. The caller holds the machine's lock: a trial uses its folder.
 *
 * @throws {Failure} where the host or the tree lacks what the settings demand.
 */
export async function planTree(
  host: Host,
  plan: MachinePlan,
  { kernel }: ReadyHost,
  tree: BaseTree,
): Promise<TreePlan> {
  const { store, name, settings } = plan;
  const identity = await identityOf(host, tree);
  const storage = await chooseStorage(host, kernel, {
    choice: settings.storage,
    store,
    folder: machinePaths(store, name).folder,
    chroot: tree.path,
    isLimited: diskMaxOf(plan) !== null,
  });
  const booted = settings.boot && await hasInit(host, tree.path);
  const user = await findUser(host, tree.path, tree.user);
  return {
    tree,
    identity,
    storage,
    booted,
    user,
    owners: await ownersOf(host, plan, tree, storage),
  };
}

/** Whether a tree is still the one of the plan. */
export async function isSameTree(host: Host, planned: TreePlan, tree: BaseTree): Promise<boolean> {
  return planned.tree.path === tree.path && planned.identity === await identityOf(host, tree);
}

/** Bytes that the machine may write; null for no limit. */
export function diskMaxOf({ settings }: MachinePlan): number | null {
  return parseSize(settings.limits.disk_max) ?? null;
}

async function identityOf(host: Host, { path }: BaseTree): Promise<string> {
  const stat = await host.files.stat(path);
  return `${stat?.dev}-${stat?.ino}-${stat?.born?.getTime()}`;
}

/** A machine boots where its tree has systemd, and a bus to reach it by. */
async function hasInit(host: Host, tree: string): Promise<boolean> {
  const has = async (path: string) => await host.files.lstat(`${tree}/${path}`) !== null;
  return (await has("usr/lib/systemd/systemd") || await has("lib/systemd/systemd")) &&
    (await has("usr/bin/dbus-daemon") || await has("usr/bin/dbus-broker"));
}

async function ownersOf(
  host: Host,
  { settings, store }: MachinePlan,
  { path }: BaseTree,
  storage: Storage,
): Promise<FileOwners> {
  if (settings.private_users === "off") return { kind: "host" };
  // nspawn itself maps the owners of a whole root; below an overlay this program has to.
  if (storage.kind === "btrfs" || await canMapOwners(host, path)) return { kind: "mapped" };
  const [{ canShift }, { identifyTree, shiftedLayersFolder }] = await Promise.all([
    import("../storage/shifted/shift.ts"),
    import("../storage/shifted/layer.ts"),
  ]);
  const id = await canShift(host, store) ? await identifyTree(host, path) : null;
  return id === null
    ? { kind: "host" }
    : { kind: "shifted", layers: join(shiftedLayersFolder(store), id) };
}
