/** A host with systemd as PID 1: a container that boots a cached root under an overlay. */

import { must } from "./command.ts";
import { type Folder, openFolder } from "./folder.ts";
import { hostOf, type TestHost } from "./host.ts";
import { launch, until } from "./init_process.ts";
import { loopDevices } from "./loop_devices.ts";
import { connectHost } from "./network.ts";
import { hostRoot, type Suite } from "./roots.ts";

const STORE = "/var/lib/nspawn-runner";
const BTRFS = "/srv/btrfs";

/** Makes nspawn give the container the rights that nested machines need. */
const ENVIRONMENT = {
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
  SYSTEMD_NSPAWN_API_VFS_WRITABLE: "1",
  SYSTEMD_SECCOMP: "0",
};

/**
 * Boots a host and waits until it is ready.
 *
 * @param shared Folders that it has read-only, at the same paths.
 */
export async function bootSystemd(suite: Suite, shared: readonly string[]): Promise<TestHost> {
  const root = await hostRoot(suite);
  const folder = await openFolder();
  try {
    const leader = await launch(folder, await nspawnArgv(folder, root, shared), ENVIRONMENT);
    await connectHost(folder, leader);
    const host = hostOf(folder, {
      kind: "systemd",
      store: STORE,
      btrfs: await hasBtrfs(folder) ? BTRFS : null,
      leader,
      namespaces: ["--all"],
      cgroup: await cgroupBeside(leader, folder),
    });
    await untilRunning(host, folder);
    return host;
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function nspawnArgv(
  folder: Folder,
  root: string,
  shared: readonly string[],
): Promise<string[]> {
  const [upper, work, merged] = ["upper", "work", "root"].map((name) => `${folder.path}/${name}`);
  for (const path of [upper, work, merged]) await Deno.mkdir(path!, { mode: 0o755 });
  const layers = `lowerdir=${root},upperdir=${upper},workdir=${work}`;
  await must(["mount", "-t", "overlay", "-o", layers, "tests", merged!]);
  return [
    "systemd-nspawn",
    "--quiet",
    "--register=no",
    "--keep-unit",
    "--boot",
    `--directory=${merged}`,
    `--machine=nrt-${folder.id}`,
    "--capability=all",
    "--console=pipe",
    "--private-network",
    "--resolv-conf=replace-host",
    // The store is on this machine's disk, since the upper layer of an overlay cannot be on an overlay.
    `--bind=${folder.path}/store:${STORE}`,
    `--bind=${folder.path}/btrfs:${BTRFS}`,
    // nspawn gives containers only parts of /sys.
    ...(await hasBtrfs(folder) ? ["--bind-ro=/sys/fs/btrfs"] : []),
    ...[...await loopDevices(), ...await fuse()].map((path) => `--bind=${path}`),
    ...shared.map((path) => `--bind-ro=${path}`),
  ];
}

/** A host has it, but nspawn gives it to containers only from version 257 on. */
async function fuse(): Promise<string[]> {
  const path = "/dev/fuse";
  return await Deno.stat(path).then(() => [path], () => []);
}

async function hasBtrfs(folder: Folder): Promise<boolean> {
  return (await must(["stat", "-f", "-c", "%T", `${folder.path}/btrfs`])) === "btrfs";
}

/** Creates a cgroup for commands in the container, beside the cgroup of its PID 1. */
async function cgroupBeside(leader: number, folder: Folder): Promise<string> {
  const lines = await Deno.readTextFile(`/proc/${leader}/cgroup`);
  const path = lines.match(/^0::(.*)$/m)?.[1] ?? "";
  const name = `nspawn-runner-tests-${folder.id}`;
  const below = path.slice(path.indexOf(name) + name.length).split("/").slice(1);
  const payload = below[0] === "payload" ? `${folder.cgroup}/payload` : folder.cgroup;
  await Deno.mkdir(`${payload}/tests`);
  return `${payload}/tests`;
}

async function untilRunning(host: TestHost, folder: Folder): Promise<void> {
  const state = await until(async () => {
    const { stdout } = await host.exec(["systemctl", "is-system-running"]);
    return ["running", "degraded"].includes(stdout.trim()) ? stdout.trim() : null;
  }, 300_000);
  if (state === "running") return;
  const failed = await host.exec(["systemctl", "--failed", "--no-pager", "--no-legend"]);
  throw new Error(
    `the host is ${state}: ${failed.stdout}\n${await Deno.readTextFile(`${folder.path}/log`)}`,
  );
}
