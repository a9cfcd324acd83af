/** Times of timers. */

/** Returns seconds as milliseconds of a timer; a longer time than 24 days, at most, would end at once. */
export function timerTime(seconds: number): number {
  return Math.min(seconds * 1000, 2 ** 31 - 1);
}
