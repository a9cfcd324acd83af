/** Spans of time, for people. */

import { formatAge } from "./age.ts";

/** Returns milliseconds as `340 ms`, `12.3 s`, `7min` or `3h5min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return formatAge(Math.round(milliseconds / 1000));
}
