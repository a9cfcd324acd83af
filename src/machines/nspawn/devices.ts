/** Devices of the host that an administrator lets machines use. */

import { join } from "@std/path/posix";
import type { MachineSettings } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { Device, MachineSpec } from "./spec.ts";

const FUSE = "/dev/fuse";

/**
 * The devices of a machine, looked at anew at each start.
 *
 * @param host The outside.
 * @param settings The machine's settings.
 * @returns The devices; FUSE besides where jobs run containers and the host has it.
 * @throws {Failure} where one is not there, or is none.
 */
export async function machineDevices(host: Host, settings: MachineSettings): Promise<Device[]> {
  const devices: Device[] = [];
  for (const wanted of settings.devices ?? []) {
    const [path = "", mode] = wanted.split(":");
    const device = await inspectDevice(host, path, mode === "r");
    if (device === null) {
      throw refused(
        `Cannot give device ${wanted}: there is no such device on this host`,
        "devices in the configuration, or in the definition",
      );
    }
    devices.push(device);
  }
  if (!settings.nesting || devices.some(({ path }) => path === FUSE)) return devices;
  const fuse = await inspectDevice(host, FUSE, false);
  return fuse === null ? devices : [...devices, fuse];
}

async function inspectDevice(host: Host, path: string, readOnly: boolean): Promise<Device | null> {
  const argv: Argv = ["stat", "--dereference", "--format=%f %t %T", "--", path];
  const { stdout } = await host.processes.capture(argv);
  const [mode, major, minor] = stdout.trim().split(" ").map((word) => parseInt(word, 16));
  const kind = KINDS[(mode ?? 0) & 0xf000];
  return kind === undefined || major === undefined || minor === undefined
    ? null
    : { path, kind, major, minor, readOnly };
}

/** S_IFCHR and S_IFBLK of inode(7). */
const KINDS: Readonly<Record<number, "b" | "c">> = { 0x2000: "c", 0x6000: "b" };

/**
 * Puts nspawn where a machine has nodes of its own for its devices: those of the host belong to users that
 * are nobody inside. They are in a mount namespace of nspawn's own, and nothing of them is left on the host.
 *
 * @param spec The machine.
 * @param argv nspawn.
 * @returns The words; nspawn's alone where there are no devices.
 */
export function withDevices({ devices, paths }: MachineSpec, argv: Argv): Argv {
  if (devices.length === 0) return argv;
  return [
    "unshare",
    ...["--mount", "--propagation=private", "sh", "-euc", CREATE_NODES_SCRIPT, "sh"],
    ...[devicesIn(paths.folder), `${devices.length}`],
    ...devices.flatMap(nodeWords),
    ...argv,
  ];
}

/** Words: the folder, how many devices, five words each, nspawn. */
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
exec "$@"
`;

/** They belong to the host's root, who is nobody inside: nothing there changes their modes. */
function nodeWords({ kind, major, minor, readOnly }: Device, index: number): string[] {
  return [`${index}`, kind, `${major}`, `${minor}`, readOnly ? "0444" : "0666"];
}

function devicesIn(folder: string): string {
  return join(folder, "devices");
}

/**
 * The nodes that {@linkcode withDevices} makes.
 *
 * @param spec The machine.
 * @returns What nspawn binds, and where.
 */
export function deviceNodes({ devices, paths }: MachineSpec): { from: string; to: string }[] {
  return devices.map(({ path }, index) => ({
    from: join(devicesIn(paths.folder), `${index}`),
    to: path,
  }));
}

/**
 * What a unit lets its machine's devices do; making their nodes is part of it.
 *
 * @param devices The devices.
 * @returns Properties of systemd.resource-control(5).
 */
export function deviceProperties(devices: readonly Device[]): string[] {
  return devices.map(({ path, readOnly }) => `DeviceAllow=${path} ${readOnly ? "rm" : "rwm"}`);
}
