/**
 * Decides how a machine will start from a tree. This may need probes of the host, which take time: it happens before
 * the host-wide lock is taken.
 */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { parseSize } from "../../text/size.ts";
import { couldOwnIds } from "../record/host_probe.ts";
import { canMapOwners } from "../record/ids.ts";
import { isPulledImage } from "../record/lower.ts";
import { machinePaths } from "../record/paths.ts";
import type { BaseTree, MachinePlan } from "../record/plan.ts";
import { findUser, type MachineUser } from "../record/user.ts";
import { chooseStorage, storageOf } from "../storage/choose.ts";
import type { Storage } from "../storage/storage.ts";
import type { PreparedHost } from "./prepare_host.ts";

/** A tree as it was found. */
export interface TreeSnapshot {
  readonly tree: BaseTree;
  /** Changes when another tree takes the path. */
  readonly identity: string;
}

/** How a machine will start from a tree. */
export interface TreePlan extends TreeSnapshot {
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
 * Decides how the machine starts from a tree. The caller holds the machine's lock, since probes of the host use the
 * machine's folder.
 *
 * @throws {Failure} where the host or the tree lacks what the settings demand.
 */
export async function planTree(
  host: Host,
  plan: MachinePlan,
  ready: PreparedHost,
  found: TreeSnapshot,
  interrupt: AbortSignal,
): Promise<TreePlan> {
  const { store, name, settings } = plan;
  const { tree } = found;
  const storage = plan.changesTree ? storageOf("tree") : await chooseStorage(host, ready.kernel, {
    choice: settings.storage,
    store,
    folder: machinePaths(store, name).folder,
    base: tree,
    isLimited: diskMaxOf(plan) !== null,
    interrupt,
  });
  const booted = settings.boot && await hasInit(host, tree.path);
  const user = await findUser(host, tree, tree.user);
  return {
    ...found,
    storage,
    booted,
    user,
    owners: await ownersOf(host, plan, ready, tree, storage, interrupt),
  };
}

/** Finds the tree that the chroot has at this moment. */
export async function snapshotTree(host: Host, plan: MachinePlan): Promise<TreeSnapshot> {
  return await snapshot(host, await plan.tree());
}

async function snapshot(host: Host, tree: BaseTree): Promise<TreeSnapshot> {
  const stat = await host.files.stat(tree.path);
  return { tree, identity: `${stat?.dev}-${stat?.ino}-${stat?.born?.getTime()}` };
}

/**
 * Returns whether the chroot still has this tree. A pulled image is not asked for again, since that may take long while
 * no other machine can be reserved: it is current unless it was removed.
 */
export async function isCurrent(
  host: Host,
  plan: MachinePlan,
  { tree, identity }: TreeSnapshot,
): Promise<boolean> {
  const isImage = isPulledImage(tree);
  if (isImage && await host.files.lstat(tree.path) === null) return false;
  const now = isImage ? await snapshot(host, tree) : await snapshotTree(host, plan);
  if (now.tree.path !== tree.path || now.identity !== identity) return false;
  // Maintenance replaces the helper root like any chroot, but a machine may also use an earlier generation of it.
  return tree.helper === null || await host.files.lstat(tree.helper.path) !== null;
}

/** Bytes that the machine may write; null for no limit. */
export function diskMaxOf({ settings }: MachinePlan): number | null {
  return parseSize(settings.limits.disk_max) ?? null;
}

/** Returns whether a tree can boot: it needs systemd, and a D-Bus daemon, by which programs of jobs call it. */
export async function hasInit(host: Host, tree: string): Promise<boolean> {
  const has = async (path: string) => await host.files.lstat(`${tree}/${path}`) !== null;
  return (await has("usr/lib/systemd/systemd") || await has("lib/systemd/systemd")) &&
    (await has("usr/bin/dbus-daemon") || await has("usr/bin/dbus-broker"));
}

async function ownersOf(
  host: Host,
  plan: MachinePlan,
  ready: PreparedHost,
  { path, lower }: BaseTree,
  storage: Storage,
  interrupt: AbortSignal,
): Promise<FileOwners> {
  const { store } = plan;
  const private_users = privateUsersOf(plan);
  const { boot } = ready.kernel;
  if (private_users === "off") return { kind: "host" };
  if (storage.kind === "tree") {
    // What the machine writes has to land with true owners: a shifted layer would not do.
    if (await canMapOwnersOf(host, plan, ready, path, interrupt)) return { kind: "mapped" };
    if (private_users === "required") {
      throw cannotOwnIds("nspawn cannot map the owners of the tree");
    }
    return { kind: "host" };
  }
  // On btrfs, systemd-nspawn maps the owners itself; below an overlay this program does, which not every host can.
  if (
    storage.kind === "btrfs" ||
    await canMapOwners(host, { store, chroot: lower.folder }, boot, interrupt)
  ) {
    return { kind: "mapped" };
  }
  const [{ canShift }, { identifyTree, shiftedLayersFolder }] = await Promise.all([
    import("../storage/shifted/shift.ts"),
    import("../storage/shifted/layer.ts"),
  ]);
  const id = await identifyTree(host, path);
  if (id !== null && await canShift(host, store, boot, interrupt)) {
    return { kind: "shifted", layers: join(shiftedLayersFolder(store), id) };
  }
  if (private_users === "required") {
    throw cannotOwnIds("this host can neither map owners nor hold a shifted layer");
  }
  // A job must not be able to bring a host to this by using up what the probes need.
  if (await couldOwnIds(host, store, boot)) {
    throw cannotOwnIds("other machines had them since the host started");
  }
  return { kind: "host" };
}

/** A service has the user ids of its job's machine, since both write to the same folders. */
function privateUsersOf({ settings: { private_users }, service }: MachinePlan) {
  if (service === undefined || private_users === "required") return private_users;
  return service.shared.ids === null ? "off" : "required";
}

function cannotOwnIds(reason: string): Error {
  return hostFailure(
    `Cannot give the machine user ids of its own: ${reason}`,
    'See nspawn-runner doctor; machines without user ids of their own need private_users = "off"',
  );
}

/** Returns whether nspawn can map the owners of a tree that it runs in. */
async function canMapOwnersOf(
  host: Host,
  { store, name }: MachinePlan,
  { kernel, supervisor }: PreparedHost,
  tree: string,
  interrupt: AbortSignal,
): Promise<boolean> {
  const isInStore = tree.startsWith(`${store}/`) ||
    tree.startsWith(`${await host.files.real(store) ?? store}/`);
  // An administrator's symlink may lead to another file system.
  if (!isInStore) return await canMapOwners(host, { store, chroot: tree }, kernel.boot, interrupt);
  const { canMapTree } = await import("../storage/map_tree.ts");
  const { folder } = machinePaths(store, name);
  const cgroups = supervisor.cgroupsFor(kernel, name);
  return await canMapTree(host, { store, folder, cgroups, boot: kernel.boot }, interrupt);
}
