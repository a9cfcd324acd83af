/** Devices of the host that the configuration gives to machines. */

import { join } from "@std/path/posix";
import type { MachineSettings } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { Step } from "../../linux/mounts.ts";
import type { Device, MachineSpec } from "./spec.ts";

/** For file systems and networks of containers, also of users: nspawn's own nodes have the modes that the host's have. */
const NESTING_DEVICES = ["/dev/fuse", "/dev/net/tun"];

/**
 * Returns the devices of a machine, and in addition, where `nesting` is set, those that containers need and the host
 * has. Their numbers are read anew at each start.
 *
 * @throws {Failure} `refused` where a configured device does not exist or is not a device.
 */
export async function machineDevices(host: Host, settings: MachineSettings): Promise<Device[]> {
  const devices: Device[] = [];
  for (const entry of settings.devices ?? []) {
    const [path = "", mode] = entry.split(":");
    const device = await inspectDevice(host, path, mode === "r");
    if (device === null) {
      throw refused(
        `Cannot give device ${entry}: there is no such device on this host`,
        "Correct devices in the configuration, or in the definition of the chroot",
      );
    }
    devices.push(device);
  }
  if (!settings.nesting) return devices;
  const missing = NESTING_DEVICES.filter((path) => !devices.some((device) => device.path === path));
  const found = await Promise.all(missing.map((path) => inspectDevice(host, path, false)));
  return [...devices, ...found.filter((device) => device !== null)];
}

/** Returns null where there is no such device. */
async function inspectDevice(host: Host, path: string, readOnly: boolean): Promise<Device | null> {
  const argv: Argv = ["stat", "--dereference", "--format=%f %t %T", "--", path];
  const { stdout } = await host.processes.capture(argv);
  const [mode, major, minor] = stdout.trim().split(" ").map((word) => parseInt(word, 16));
  const kind = KINDS[(mode ?? 0) & 0xf000];
  return kind === undefined || major === undefined || minor === undefined
    ? null
    : { path, kind, major, minor, readOnly };
}

/** The letter of mknod(1) by file type, S_IFCHR and S_IFBLK of inode(7). */
const KINDS: Readonly<Record<number, "b" | "c">> = { 0x2000: "c", 0x6000: "b" };

/**
 * Returns the step before nspawn that creates device nodes for the machine. The host's own nodes belong to users that are
 * nobody in the machine. The nodes are in nspawn's mount namespace, so that none is left on the host.
 */
export function deviceSteps({ devices, paths }: MachineSpec): Step[] {
  if (devices.length === 0) return [];
  const args = [devicesIn(paths.folder), `${devices.length}`, ...devices.flatMap(nodeArguments)];
  return [{ script: CREATE_NODES_SCRIPT, args }];
}

/** Arguments: the folder, the number of devices, for each device its name, kind, major and minor number and mode. */
export const CREATE_NODES_SCRIPT = `
folder=$1 count=$2
shift 2
mkdir -p "$folder"
mount -t tmpfs -o mode=0755,nosuid,noexec nspawn-runner "$folder"
while [ "$count" -gt 0 ]; do
  mknod -m "$5" "$folder/$1" "$2" "$3" "$4"
  shift 5
  count=$((count - 1))
done
`;

/** The nodes belong to the host's root, who is nobody in the machine: the mode cannot be changed there. */
function nodeArguments({ kind, major, minor, readOnly }: Device, index: number): string[] {
  return [`${index}`, kind, `${major}`, `${minor}`, readOnly ? "0444" : "0666"];
}

function devicesIn(folder: string): string {
  return join(folder, "devices");
}

/** Returns the nodes that {@linkcode deviceSteps} creates, and their paths in the machine. */
export function deviceNodes({ devices, paths }: MachineSpec): { from: string; to: string }[] {
  return devices.map(({ path }, index) => ({
    from: join(devicesIn(paths.folder), `${index}`),
    to: path,
  }));
}

/**
 * Returns the properties of a unit that allow its machine the devices, including mknod: systemd.resource-control(5).
 */
export function deviceProperties(devices: readonly Device[]): string[] {
  return devices.map(({ path, readOnly }) => `DeviceAllow=${path} ${readOnly ? "rm" : "rwm"}`);
}
