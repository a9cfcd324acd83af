/** Limits that count for several btrfs subvolumes together. */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { createSubvolume } from "./btrfs.ts";

/** Arguments: a subvolume with a limit, another one. */
export const SHARE_LIMIT_SCRIPT = `
id=$(btrfs inspect-internal rootid "$1")
other=$(btrfs inspect-internal rootid "$2")
btrfs qgroup assign --no-rescan "0/$other" "1/$id" "$1"
`;

/** Creates a subvolume for which the limit of another one counts, too: for both together. */
export async function createWithLimitOf(host: Host, limited: string, path: string): Promise<void> {
  await createSubvolume(host, path);
  const argv = ["sh", "-euc", SHARE_LIMIT_SCRIPT, "sh", limited, path] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) throw hostFailure(`Cannot limit subvolume ${path}: ${stderr.trim()}`);
}
