/** The folder of a host: a place for its files on this machine, removed however the tests end. */

import { must, run } from "./command.ts";

const here = new URL(".", import.meta.url).pathname;

/** A host's folder and cgroup. */
export interface Folder {
  readonly path: string;
  /** Unique on this machine, valid as a machine's name. */
  readonly id: string;
  /** Path of the cgroup of all processes of the host. */
  readonly cgroup: string;
  /** Records a process that others depend on, for the teardown; the innermost first. */
  record(pid: number): Promise<void>;
  /** Ends the host and removes everything of it. */
  close(): Promise<void>;
}

/** Folders of hosts are made here. */
const PARENT = Deno.env.get("TMPDIR") ?? "/var/tmp";

/**
 * Creates a folder on a file system that can hold the upper layer of an overlay. A process outside of the tests
 * removes it when the tests are killed.
 *
 * @returns The folder, with a `store` in it and, where one can be mounted, a `btrfs`.
 */
export async function openFolder(): Promise<Folder> {
  await startWatcher();
  const path = await Deno.makeTempDir({ dir: PARENT, prefix: "nr-host-" });
  await Deno.writeTextFile(`${path}/owner`, await ownerLine());
  await Deno.chmod(path, 0o755);
  const id = `${path.split("-").at(-1)}`;
  const cgroup = `${await ownCgroup()}/nspawn-runner-tests-${id}`;
  if ((await fileSystem(path)) === "overlayfs") {
    await must(["mount", "-t", "tmpfs", "-o", "mode=0755", "tests", path]);
    await Deno.writeTextFile(`${path}/owner`, await ownerLine());
  }
  await Deno.writeTextFile(`${path}/cgroup`, `nspawn-runner-tests-${id}`);
  await Deno.writeTextFile(`${path}/processes`, "");
  await Deno.mkdir(cgroup);
  await mountDisks(path);
  return {
    path,
    id,
    cgroup,
    record: async (pid) => {
      const line = `${pid} ${await startOf(pid)}\n`;
      await Deno.writeTextFile(`${path}/processes`, line, { append: true });
    },
    close: async () => void await must([`${here}teardown.sh`, path]),
  };
}

/** Returns the type of the file system that holds a path, as stat(1) calls it. */
export function fileSystem(path: string): Promise<string> {
  return must(["stat", "--file-system", "--format=%T", path]);
}

let watcher: Promise<string> | undefined;

/** Starts one watcher for all hosts of this process, by a shell: no test may leave a child process open. */
async function startWatcher(): Promise<void> {
  const [pid, start] = (await ownerLine()).split(" ");
  watcher ??= must([
    ...["sh", "-c", 'setsid "$@" </dev/null >/dev/null 2>&1 &', "sh"],
    ...[`${here}teardown.sh`, "--after", pid!, start!, PARENT],
  ]);
  await watcher;
}

async function ownerLine(): Promise<string> {
  return `${Deno.pid} ${await startOf(Deno.pid)}`;
}

/** Returns the start time of a process, in clock ticks since boot: proc_pid_stat(5). */
export async function startOf(pid: number): Promise<string> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!;
}

/** Returns the folder of this process's own cgroup, in the unified hierarchy. */
export async function ownCgroup(): Promise<string> {
  const own = (await Deno.readTextFile("/proc/self/cgroup")).match(/^0::(.*)$/m)?.[1];
  return `${await cgroupMount()}${own}`.replace(/\/$/, "");
}

/** Returns where the unified hierarchy is mounted. */
export async function cgroupMount(): Promise<string> {
  const mounts = await Deno.readTextFile("/proc/self/mountinfo");
  const point = mounts.split("\n").find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  if (point === undefined) throw new Error("no cgroup2 hierarchy is mounted");
  return point;
}

/**
 * Gives a host file systems of its own where loop devices are: a `btrfs`, and an ext4 for its store, as most hosts
 * have. With it the trees of a store go in one step at the end, and are created quickly also where this machine's
 * ext4 has no journal, which makes new files slow after a removal of many.
 */
async function mountDisks(path: string): Promise<void> {
  await mountDisk(path, "store", "12G", ["mkfs.ext4", "-q", "-m", "0"]);
  await mountDisk(path, "btrfs", "3G", ["mkfs.btrfs", "--quiet"]);
}

async function mountDisk(path: string, name: string, size: string, make: string[]): Promise<void> {
  await Deno.mkdir(`${path}/${name}`);
  const image = `${path}/${name}.img`;
  await must(["truncate", `--size=${size}`, image]);
  const made = await run([...make, image]).catch(() => null); // its program is missing
  // A container may have no loop devices: its store is a folder, and tests of btrfs are skipped.
  if (made?.code === 0) await run(["mount", "-o", "loop", image, `${path}/${name}`]);
}
