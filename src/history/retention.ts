/** Decides which days of the history are kept. */

import type { Host } from "../host/host.ts";
import { dayFile, dayOf, listDays } from "./folder.ts";

/** A day that is not kept. */
export interface UnkeptDay {
  readonly path: string;
  /** The reason, for a message. */
  readonly reason: string;
}

/**
 * Returns the days that the policy does not keep: those that are too old, and the first ones while all exceed the size. The
 * current day and the one before are kept, since the totals do not have their jobs yet.
 *
 * @param policy Bytes, and seconds.
 */
export async function unkeptDays(
  host: Host,
  store: string,
  policy: { readonly size: number; readonly age: number },
): Promise<UnkeptDay[]> {
  const ago = (seconds: number) => dayOf(new Date(host.clock.now() - seconds * 1000).toISOString());
  const [yesterday, oldest] = [ago(86_400), ago(policy.age)];
  const unkept: UnkeptDay[] = [];
  let size = 0;
  for (const day of (await listDays(host, store)).reverse()) {
    const path = dayFile(store, day);
    size += (await host.files.lstat(path))?.size ?? 0;
    if (day >= yesterday) continue;
    if (day < oldest) unkept.push({ path, reason: "its jobs ended before history_max_age" });
    else if (size > policy.size) {
      unkept.push({ path, reason: "newer records already fill history_max_size" });
    }
  }
  return unkept;
}
