/** User namespaces: each machine has a range of the host's user and group ids for itself. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { CommonLease } from "./lease.ts";
import { attemptInOwnMounts, probe, PROBE_MOUNT_POINT } from "./host_probe.ts";

/** Consecutive user and group ids. */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/**
 * The areas in which machines get ranges of a size: the upper part of what systemd reserves for containers,
 * https://systemd.io/UIDS-GIDS; useradd(8) and Incus take ids below. The second area is used when the first one is full.
 * Earlier releases know it alone, so none of their machines has ids of the first one. As a first id also tells the size
 * of its range, the areas must not change.
 */
const AREAS = [
  { first: 0x4000_0000, end: 0x6000_0000, count: 0x10_0000 },
  { first: 0x6000_0000, end: 0x7000_0000, count: 0x1_0000 },
] as const;

/** The ids of all machines: the first one, and the first one after them. */
export const ID_AREA = [AREAS[0].first, AREAS[1].end] as const;

/** Returns how many ids the machine has whose range begins with an id. */
export function idCount(first: number): number {
  return first < AREAS[1].first ? AREAS[0].count : AREAS[1].count;
}

/** Returns the first ids of all ranges, in the order in which machines get them. */
export function* firstIds(): Generator<number> {
  for (const { first, end, count } of AREAS) {
    for (let id = first; id < end; id += count) yield id;
  }
}

/** What has ids of the host. */
export interface TakenIds {
  /** Those of all machines of the host. */
  readonly leases: readonly Pick<CommonLease, "ids">[];
  /** Those of other containers. */
  readonly containers?: readonly IdRange[];
  /** Those of users and groups; a machine gets them only when there are no others. */
  readonly users?: readonly IdRange[];
}

/**
 * Returns the first id of a range that no machine and no other container has.
 *
 * @throws {Failure} of the host where all ranges are taken.
 */
export function freeIds({ leases, containers = [], users = [] }: TakenIds): number {
  const machines = leases.flatMap(({ ids }) =>
    ids === null ? [] : [{ first: ids, count: idCount(ids) }]
  );
  const taken = [...machines, ...containers];
  const first = firstIdBeside([...taken, ...users]) ?? firstIdBeside(taken);
  if (first !== undefined) return first;
  throw hostFailure(
    "Cannot give the machine user ids of its own: all are taken",
    "Remove leftovers of machines: nspawn-runner gc",
  );
}

function firstIdBeside(taken: readonly IdRange[]): number | undefined {
  return firstIds().find((first) => overlapping(first, taken) === undefined);
}

/** Returns one of the ranges that has ids of the machine whose range begins with an id. */
export function overlapping<T extends IdRange>(first: number, ranges: readonly T[]): T | undefined {
  const end = first + idCount(first);
  return ranges.find((range) => range.first < end && range.first + range.count > first);
}

/**
 * Returns the ranges that systemd-nspawn and systemd-nsresourced have given to containers: a lock's file of each,
 * uid_range_unit of nspawn.c, and an entry of the registry, userns-registry.c.
 */
export async function idsOfContainers(host: Host): Promise<IdRange[]> {
  const [locks, registry] = await Promise.all([
    host.files.list("/run/systemd/nspawn-uid"),
    host.files.list("/run/systemd/nsresource/registry"),
  ]);
  return [...locks, ...registry].flatMap((name) => {
    const first = name.match(/^u?(\d+)(?:\.userns)?$/)?.[1];
    return first === undefined ? [] : [{ first: Number(first), count: 0x1_0000 }];
  });
}

/** Ids of a user or group of the host, and the file that names it. */
export interface OwnedIds extends IdRange {
  readonly owner: string;
  readonly file: string;
}

/** For each file, which fields are the first id and the count: subuid(5), subgid(5), passwd(5), group(5). */
const OWNER_FILES = [
  ["/etc/subuid", 1, 2],
  ["/etc/subgid", 1, 2],
  ["/etc/passwd", 2, null],
  ["/etc/group", 2, null],
] as const;

/** Returns the ids that files of the host give to users and groups. */
export async function idsOfUsers(host: Host): Promise<OwnedIds[]> {
  const ranges = await Promise.all(OWNER_FILES.map(async ([file, first, count]) => {
    const text = await host.files.read(file).catch(() => null) ?? "";
    return text.split("\n").map((line) => line.split(":")).map((fields) => ({
      owner: fields[0] ?? "",
      file,
      first: Number(fields[first]),
      count: count === null ? 1 : Number(fields[count]),
    }));
  }));
  return ranges.flat().filter(({ first }) => Number.isInteger(first));
}

/**
 * Returns whether an idmapped mount, mount_setattr(2), can give a chroot's files other owners. It takes support by the
 * kernel, the file system and mount(8); without it the mount succeeds, and the owners stay. The answer is kept until
 * the host reboots.
 *
 * @param boot The id of this boot.
 * @param interrupt When aborted, ends the wait for another process's attempt.
 * @throws {Failure} of the host where the attempt proved nothing.
 */
export async function canMapOwners(
  host: Host,
  { store, chroot }: { readonly store: string; readonly chroot: string },
  boot: string,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const [first] = ID_AREA;
  const range = `${first}:${idCount(first)}`;
  const words = ["sh", "-c", IDMAP_PROBE_SCRIPT, "sh", chroot, range, PROBE_MOUNT_POINT];
  const isRight = (stdout: string) => stdout.trim() === `${first}`;
  return await probe(
    host,
    { topic: "idmap", path: chroot, store, boot, interrupt },
    () => attemptInOwnMounts(host, words, isRight),
  );
}

/** Arguments: a folder of root, `FIRST:COUNT` of ids, an empty folder. Prints the folder's owner in the idmapped mount. */
export const IDMAP_PROBE_SCRIPT = `
mount --bind -o "X-mount.idmap=b:0:$2" "$1" "$3" && stat --format=%u "$3"
`;
