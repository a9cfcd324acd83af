/** The place where a benchmark runs: this machine as it is, or a host container. */

import { killGroup, must, type Options, type Running, start } from "../tests/hosts/command.ts";
import { fileSystem, openFolder } from "../tests/hosts/folder.ts";
import { bootSystemd } from "../tests/hosts/systemd.ts";

/** A host with a store, which is removed with it. */
export interface Place {
  readonly store: string;
  /** A folder on btrfs, or null where none can be mounted. */
  readonly btrfs: string | null;
  /** Returns the path by which this process reaches a path of the place. */
  outerPath(path: string): string;
  start(argv: readonly string[], options: Options): Running;
  signal(running: Running, signal: Deno.Signal): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a place, which has to be closed.
 *
 * @param where `here`, or the Debian suite of a host container.
 * @param tools A folder that it has at the same path.
 * @param prefix The prefix of the installed program.
 */
export async function openPlace(where: string, tools: string, prefix: string): Promise<Place> {
  return where === "here" ? await openHere() : await openContainer(where, tools, prefix);
}

async function openHere(): Promise<Place> {
  const folder = await openFolder();
  const enter = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh"];
  const btrfs = `${folder.path}/btrfs`;
  return {
    store: `${folder.path}/store`,
    btrfs: await fileSystem(btrfs) === "btrfs" ? btrfs : null,
    outerPath: (path) => path,
    start: (argv, options) => start([...enter, folder.cgroup, ...argv], options),
    signal: ({ pid }, signal) => Promise.resolve(killGroup(pid, signal)),
    close: folder.close,
  };
}

async function openContainer(suite: string, tools: string, prefix: string): Promise<Place> {
  if (suite !== "trixie" && suite !== "bookworm") {
    throw new Error(`Cannot make a host "${suite}": it is trixie, bookworm or here`);
  }
  await must(["cp", "--archive", prefix, `${tools}/prefix`]);
  const host = await bootSystemd(suite, [tools]);
  // A copy: in a read-only folder Deno cannot write its cache, and starts slower.
  const parent = prefix.slice(0, prefix.lastIndexOf("/"));
  await host.exec(["mkdir", "--parents", parent]);
  await host.exec(["cp", "--archive", `${tools}/prefix`, prefix]);
  return host;
}
