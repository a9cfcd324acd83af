/** Checks whether the unit of a machine keeps it from devices of the host. */

import type { Argv } from "../host/host.ts";
import { isSystemdHost } from "../linux/systemd.ts";
import { DEVICE_POLICY } from "../machines/supervisor/start_unit.ts";
import { type Check, ok, unknown, weak } from "./finding.ts";

const TOPIC = "devices";

/** Whether systemd enforces the device policy of a unit, which takes programs of bpf in the kernel. */
export const devices: Check = async (host) => {
  if (!await isSystemdHost(host)) return []; // the finding of limits()
  const find: Argv = ["sh", "-c", FIND_DEVICE_SCRIPT];
  const device = (await host.processes.capture(find)).stdout.trim();
  if (device === "") {
    return unknown(TOPIC, "the host has no device to try the policy of units with");
  }
  const properties = DEVICE_POLICY.map((property) => `--property=${property}`);
  const run: Argv = ["systemd-run", "--quiet", "--collect", "--wait", "--pipe", ...properties];
  const open: Argv = ["sh", "-c", OPEN_DEVICE_SCRIPT, "sh", device];
  const { stdout, stderr } = await host.processes.capture([...run, "--", ...open]);
  if (stdout.trim() === "refused") return ok(TOPIC, "closed by the units of machines");
  if (stdout.trim() !== "opened") return unknown(TOPIC, `no unit can try it: ${stderr.trim()}`);
  return weak(
    TOPIC,
    `a unit with DevicePolicy=closed can open ${device}`,
    "Use a kernel with CONFIG_CGROUP_BPF; in a container, allow it to load bpf programs",
  );
};

/** Prints a device that root of the host can open, and that the policy of machines does not name. */
export const FIND_DEVICE_SCRIPT = `
for device in /dev/kmsg /dev/loop-control /dev/loop[0-9]*; do
  if [ -e "$device" ] && ( : <"$device" ) 2>/dev/null; then
    echo "$device"
    exit
  fi
done
`;

/** Arguments: a device. */
export const OPEN_DEVICE_SCRIPT =
  'if ( : <"$1" ) 2>/dev/null; then echo opened; else echo refused; fi';
