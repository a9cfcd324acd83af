/** A host without systemd as PID 1: this machine's files in new namespaces. */

import { cgroupMount, fileSystem, openFolder } from "./folder.ts";
import { hostOf, type TestHost } from "./host.ts";
import { launch, until } from "./init_process.ts";
import { connectHost } from "./network.ts";

/**
 * PID 1 of the host, with whose end its mounts and processes end. /run is empty, so that this machine's systemd is
 * not seen. It sleeps in a child process, and so reaps orphans.
 */
const INIT = `
resolv=$(readlink -f /etc/resolv.conf) && cp "$resolv" "$1/resolv.conf"
mount -t tmpfs -o mode=0755 tests /run
# Only its own part of the hierarchy: machines of other hosts are none of its business.
umount "$2" && mount -t cgroup2 tests "$2"
case $resolv in
  /run/*) mkdir -p "$(dirname "$resolv")" && cp "$1/resolv.conf" "$resolv" ;;
esac
: >"$1/ready"
while :; do sleep 60; done
`;

/** Starts a host and waits until it is ready. */
export async function startStandalone(): Promise<TestHost> {
  const folder = await openFolder();
  try {
    const leader = await launch(folder, [
      ...["unshare", "--mount", "--net", "--pid", "--cgroup", "--fork", "--mount-proc"],
      ...["sh", "-c", INIT, "sh", folder.path, await cgroupMount()],
    ]);
    await connectHost(folder, leader);
    const ready = await until(
      () => Deno.stat(`${folder.path}/ready`).catch(() => null),
      120_000,
    );
    if (ready === null) {
      const log = await Deno.readTextFile(`${folder.path}/log`);
      throw new Error(`the host was not ready within 2 min:\n${log}`);
    }
    return hostOf(folder, {
      kind: "standalone",
      store: `${folder.path}/store`,
      btrfs: (await fileSystem(`${folder.path}/btrfs`)) === "btrfs" ? `${folder.path}/btrfs` : null,
      leader,
      namespaces: ["--mount", "--net", "--pid", "--cgroup"],
      cgroup: folder.cgroup,
    });
  } catch (error) {
    await folder.close();
    throw error;
  }
}
