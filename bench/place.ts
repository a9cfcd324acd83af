/** The place where a benchmark runs: this machine as it is, or a host container. */

import { killGroup, must, type Options, type Running, start } from "../tests/hosts/command.ts";
import { fileSystem, openFolder } from "../tests/hosts/folder.ts";
import type { TestHost } from "../tests/hosts/host.ts";
import type { Suite } from "../tests/hosts/roots.ts";
import { bootSystemd } from "../tests/hosts/systemd.ts";

/** A host with a store, which is removed with it. */
export interface Place {
  readonly store: string;
  /** A folder on btrfs, or null where none can be mounted. */
  readonly btrfs: string | null;
  /** Returns the path by which this process reaches a path of the place. */
  outerPath(path: string): string;
  /** Makes a folder of this machine available at the same path. */
  bring(path: string): Promise<void>;
  start(argv: readonly string[], options: Options): Running;
  signal(running: Running, signal: Deno.Signal): Promise<void>;
  close(): Promise<void>;
}

/** Opens this machine as a place, which has to be closed. */
export async function openHere(): Promise<Place> {
  const folder = await openFolder();
  const enter = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh"];
  const btrfs = `${folder.path}/btrfs`;
  return {
    store: `${folder.path}/store`,
    btrfs: await fileSystem(btrfs) === "btrfs" ? btrfs : null,
    outerPath: (path) => path,
    bring: () => Promise.resolve(),
    start: (argv, options) => start([...enter, folder.cgroup, ...argv], options),
    signal: ({ pid }, signal) => Promise.resolve(killGroup(pid, signal)),
    close: folder.close,
  };
}

/** Boots a host container with some more packages, which has to be closed. */
export async function openContainer(suite: Suite, packages: readonly string[]): Promise<Place> {
  const host = await bootSystemd(suite, []);
  try {
    if (packages.length > 0) await installPackages(host, packages);
    // A copy: in a read-only folder Deno cannot write its cache, and starts slower.
    const bring = async (path: string) => {
      await must(["mkdir", "--parents", host.outerPath(path)]);
      await must(["cp", "--archive", `${path}/.`, host.outerPath(path)]);
    };
    return { ...host, bring };
  } catch (error) {
    await host.close();
    throw error;
  }
}

/** Docker's files are on the store's disk: the upper layer of an overlay cannot be on an overlay. */
async function installPackages(host: TestHost, packages: readonly string[]): Promise<void> {
  const script = `
for name in docker containerd; do
  mkdir "$1/.$name"
  ln -s "$1/.$name" "/var/lib/$name"
done
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
shift
apt-get -q -y install --no-install-recommends "$@"`;
  const words = ["sh", "-euc", script, "sh", host.store, ...packages];
  const { code, stdout, stderr } = await host.exec(words);
  if (code !== 0) throw new Error(`Cannot install ${packages.join(", ")}: ${stdout}${stderr}`);
}
