/** Cgroups of the unified hierarchy: cgroups(7). */

/** Returns the path of a process's cgroup. */
export async function cgroupOf(process: number | "self"): Promise<string> {
  const path = (await Deno.readTextFile(`/proc/${process}/cgroup`)).match(/^0::(\/.*)$/m)?.[1];
  if (path === undefined) throw new Error(`Process ${process} has no cgroup2`);
  return path === "/" ? await cgroupRoot() : await cgroupRoot() + path;
}

/** Returns where the hierarchy is mounted. */
export async function cgroupRoot(): Promise<string> {
  const [root] = await hierarchies("cgroup2");
  if (root === undefined) throw new Error("No cgroup2 is mounted here");
  return root;
}

/** Runs a command in a cgroup; the cgroup's path and the command follow. */
export const INTO_CGROUP = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh"];

/** In a hybrid hierarchy nspawn creates the same folders below the mounts of version 1. */
export async function twinsOf(cgroup: string): Promise<string[]> {
  const root = await cgroupRoot();
  return (await hierarchies("cgroup")).map((point) => point + cgroup.slice(root.length));
}

async function hierarchies(type: string): Promise<string[]> {
  const lines = (await Deno.readTextFile("/proc/self/mounts")).split("\n");
  return lines.map((line) => line.split(" ")).filter((words) => words[2] === type)
    .map((words) => words[1]!);
}
