/** Prepares a filled tree for machines. */

import { join } from "@std/path/posix";
import { hostFailure, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { LOCALHOST_LINES } from "../../linux/localhost.ts";

/**
 * Empties the machine id, adds /etc/hosts where it is missing, removes device nodes, and makes the
 * root directory readable for all users.
 *
 * @throws {Failure} where a folder of the tree leads out of it, as it could in an image.
 */
export async function finalizeTree(host: Host, tree: string): Promise<void> {
  const etc = await folderIn(host, tree, "etc");
  if (etc !== null) {
    // An empty file, so that each machine gets an id of its own: machine-id(5).
    const id = join(etc, "machine-id");
    await host.files.remove(id);
    await host.files.write(id, "", 0o444);
    // No package of a minimal system has it, and many test suites use localhost.
    const hosts = join(etc, "hosts");
    if (await host.files.lstat(hosts) === null) {
      await host.files.write(hosts, LOCALHOST_LINES, 0o644);
    }
  }
  const dbus = await folderIn(host, tree, "var/lib/dbus");
  const copy = dbus === null ? null : join(dbus, "machine-id");
  if (copy !== null && (await host.files.lstat(copy))?.kind === "file") {
    await host.files.remove(copy);
  }
  await removeDevices(host, tree);
  await host.files.chmod(tree, 0o755);
}

/** Machines get their devices from the host: a device node in an image can only be a way out of a machine. */
async function removeDevices(host: Host, tree: string): Promise<void> {
  const devices = ["(", "-type", "b", "-o", "-type", "c", ")"] as const;
  const argv = ["find", tree, "-xdev", ...devices, "-delete"] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) {
    throw hostFailure(`Cannot remove device nodes from the new tree: ${stderr.trim()}`);
  }
}

/** Returns the path of a tree's folder without symlinks; null where the tree has no such folder. */
async function folderIn(host: Host, tree: string, folder: string): Promise<string | null> {
  const real = await host.files.real(join(tree, folder));
  if (real === null) return null;
  if (real.startsWith(`${await host.files.real(tree)}/`)) return real;
  throw refused(
    `Cannot use the new tree: its folder /${folder} leads out of the tree, to ${real}`,
    "In the source, replace the symlink that leads there by a folder",
  );
}
