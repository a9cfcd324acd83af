/** Spans of time, for people and for timers. */

import { formatAge } from "./age.ts";

/** Returns milliseconds as `340 ms`, `12.3 s`, `7min` or `3h5min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return formatAge(Math.round(milliseconds / 1000));
}

/** Returns seconds as milliseconds of a timer; a longer time than 24 days, at most, would end at once. */
export function timerTime(seconds: number): number {
  return Math.min(seconds * 1000, 2 ** 31 - 1);
}
