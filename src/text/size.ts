/**
 * A number of bytes for people.
 *
 * @param bytes How many.
 * @returns `12 MiB`, `1.5 GiB`; less than a MiB in KiB.
 */
export function asSize(bytes: number): string {
  if (bytes < 1024 ** 2) return `${Math.ceil(bytes / 1024)} KiB`;
  if (bytes < 1024 ** 3) return `${Math.round(bytes / 1024 ** 2)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/**
 * What a text with a unit comes to.
 *
 * @param text As settings have it: `512M`.
 * @returns Bytes; undefined for anything else.
 */
export function bytesIn(text: string): number | undefined {
  const [, amount, unit = ""] = text.match(/^([1-9]\d{0,15})([KMGT]?)$/) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit] ?? 1);
}
