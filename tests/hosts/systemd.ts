/** A host with systemd: a container that boots it, on a writable layer of its own. */

import { must } from "./command.ts";
import { type Folder, openFolder } from "./folder.ts";
import { hostOf, type TestHost } from "./host.ts";
import { launch, until } from "./leader.ts";
import { loopDevices } from "./loop_devices.ts";
import { connectHost } from "./network.ts";
import { hostRoot, type Suite } from "./roots.ts";

const STORE = "/var/lib/nspawn-runner";
const BTRFS = "/srv/btrfs";

/** nspawn grants the container what a machine of its own would have, so that machines nest in it. */
const ENVIRONMENT = {
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
  SYSTEMD_NSPAWN_API_VFS_WRITABLE: "1",
  SYSTEMD_SECCOMP: "0",
};

/**
 * Boots a host.
 *
 * @param suite Of Debian.
 * @param shared Folders that it sees read-only, at the same paths.
 * @returns The host, ready.
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
    // The store is bound from the outer disk: an overlay on an overlay has no place for writes.
    `--bind=${folder.path}/store:${STORE}`,
    `--bind=${folder.path}/btrfs:${BTRFS}`,
    // nspawn shows a container parts of /sys alone, and a host has all of it.
    ...(await hasBtrfs(folder) ? ["--bind-ro=/sys/fs/btrfs"] : []),
    ...(await loopDevices()).map((path) => `--bind=${path}`),
    ...shared.map((path) => `--bind-ro=${path}`),
  ];
}

async function hasBtrfs(folder: Folder): Promise<boolean> {
  return (await must(["stat", "-f", "-c", "%T", `${folder.path}/btrfs`])) === "btrfs";
}

/** The container's own cgroup has a place for what enters it, beside its PID 1. */
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
