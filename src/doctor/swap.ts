/** Checks whether what jobs have in memory can reach a disk unencrypted. */

import { type Check, ok, unknown, weak } from "./finding.ts";

const TOPIC = "swap";

/** Whether all swap space is encrypted, or compressed memory. */
export const swap: Check = async (host) => {
  const { stdout } = await host.processes.capture(["sh", "-c", LIST_SWAP_SCRIPT]);
  const areas = stdout.split("\n").map((line) => line.split(" ", 2));
  const named = (word: string) =>
    areas.flatMap(([kind, name]) => kind === word && name !== undefined ? [name] : []);
  const [open, hidden] = [named("open"), named("unknown")];
  if (open.length > 0) {
    return weak(
      TOPIC,
      `secrets of jobs may be written unencrypted to ${open.join(", ")}`,
      `Encrypt it as in crypttab(5), or use zram in its place: swapoff ${open.join(" ")}`,
    );
  }
  if (hidden.length > 0) {
    return unknown(TOPIC, `whether it is encrypted cannot be seen: ${hidden.join(", ")}`);
  }
  return ok(TOPIC, stdout.trim() === "" ? "none" : "encrypted, or in memory");
};

/**
 * Prints for each swap space a word and its name: `open` for one that is not encrypted. lsblk(8) lists a device and
 * those below it.
 */
export const LIST_SWAP_SCRIPT = `
while read -r name type _; do
  device=$name
  case $type in
    file) device=$(df --output=source -- "$name" 2>/dev/null | tail -n 1) ;;
    partition) ;;
    *) continue ;;
  esac
  case $device in
    /dev/zram*)
      echo "memory $name"
      continue
      ;;
  esac
  if types=$(lsblk --noheadings --inverse --output=TYPE -- "$device" 2>/dev/null); then
    case $types in
      *crypt*) echo "crypt $name" ;;
      *) echo "open $name" ;;
    esac
  else
    echo "unknown $name"
  fi
done </proc/swaps
`;
