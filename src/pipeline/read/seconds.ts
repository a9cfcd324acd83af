/** Spans of time as GitLab writes them. */

const UNITS: Readonly<Record<string, number>> = {
  ...{ s: 1, sec: 1, second: 1, m: 60, min: 60, minute: 60, h: 3600, hr: 3600, hour: 3600 },
  ...{ d: 86_400, day: 86_400, w: 604_800, week: 604_800, mo: 2_592_000, month: 2_592_000 },
};

/** Returns the seconds of a text such as `1h 30m`, `90 minutes` or `3600`; undefined where it is none. */
export function secondsOf(text: string): number | undefined {
  const words = text.trim().toLowerCase().replaceAll(/,|\band\b/g, " ");
  if (!/^(?:\s*\d+(?:\.\d+)?\s*[a-z]*)+\s*$/.test(words)) return undefined;
  let seconds = 0;
  for (const [, count, unit] of words.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)/g)) {
    const factor = unit === "" ? 1 : UNITS[unit!] ?? UNITS[unit!.replace(/s$/, "")];
    if (factor === undefined) return undefined;
    seconds += Number(count) * factor;
  }
  return Math.round(seconds);
}
