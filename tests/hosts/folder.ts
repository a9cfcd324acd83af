/** What a host of the tests needs on this machine: a folder that goes away however the tests end. */

import { must, run } from "./command.ts";

const here = new URL(".", import.meta.url).pathname;

/** The outer side of one host. */
export interface Folder {
  readonly path: string;
  /** Unique on this machine, fit for a machine's name. */
  readonly id: string;
  /** A cgroup for all that the host runs, as a path in the unified hierarchy. */
  readonly cgroup: string;
  /** Records a process that everything hangs on; the innermost first. */
  record(pid: number): Promise<void>;
  /** Ends and removes everything. */
  close(): Promise<void>;
}

/**
 * Makes a folder on a file system that can hold the upper layer of an overlay, watched by a process
 * that tears everything down when the tests themselves cannot any more.
 *
 * @returns The folder, with a `store` in it and, where one can be mounted, a `btrfs`.
 */
export async function openFolder(): Promise<Folder> {
  const path = await Deno.makeTempDir({
    dir: Deno.env.get("TMPDIR") ?? "/var/tmp",
    prefix: "nr-host-",
  });
  await Deno.chmod(path, 0o755);
  const id = `${path.split("-").at(-1)}`;
  const cgroup = `${await ownCgroup()}/nspawn-runner-tests-${id}`;
  await Deno.writeTextFile(`${path}/cgroup`, `nspawn-runner-tests-${id}`);
  await Deno.writeTextFile(`${path}/processes`, "");
  await guard(path);
  if ((await fileSystem(path)) === "overlayfs") {
    await must(["mount", "-t", "tmpfs", "-o", "mode=0755", "tests", path]);
    await Deno.writeTextFile(`${path}/cgroup`, `nspawn-runner-tests-${id}`);
  }
  await Deno.mkdir(cgroup);
  await Deno.mkdir(`${path}/store`);
  await mountBtrfs(path);
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

/**
 * The type of the file system that holds a path.
 *
 * @param path Any path.
 * @returns As stat(1) calls it.
 */
export function fileSystem(path: string): Promise<string> {
  return must(["stat", "--file-system", "--format=%T", path]);
}

/** A shell starts it, so that it belongs to no test. */
async function guard(path: string): Promise<void> {
  await must([
    "sh",
    "-c",
    'setsid "$@" </dev/null >/dev/null 2>&1 &',
    "sh",
    `${here}teardown.sh`,
    path,
    `${Deno.pid}`,
    await startOf(Deno.pid),
  ]);
}

async function startOf(pid: number): Promise<string> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!;
}

/** Returns the folder of this process's own cgroup, in the unified hierarchy. */
export async function ownCgroup(): Promise<string> {
  const own = (await Deno.readTextFile("/proc/self/cgroup")).match(/^0::(.*)$/m)?.[1];
  const mounts = await Deno.readTextFile("/proc/self/mountinfo");
  const root = mounts.split("\n").find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  if (own === undefined || root === undefined) throw new Error("no cgroup2 hierarchy is mounted");
  return `${root}${own}`.replace(/\/$/, "");
}

async function mountBtrfs(path: string): Promise<void> {
  await Deno.mkdir(`${path}/btrfs`);
  const image = `${path}/btrfs.img`;
  await must(["truncate", "--size=3G", image]);
  const made = await run(["mkfs.btrfs", "--quiet", image]).catch(() => null); // no btrfs-progs here
  // A container may have no loop devices: tests of btrfs are skipped there, and only those.
  if (made?.code === 0) await run(["mount", "-o", "loop", image, `${path}/btrfs`]);
}
