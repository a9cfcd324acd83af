/** Returns a number of bytes as `12 KiB`, `300 MiB` or `1.5 GiB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024 ** 2) return `${Math.ceil(bytes / 1024)} KiB`;
  if (bytes < 1024 ** 3) return `${Math.round(bytes / 1024 ** 2)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Returns the bytes of a size as in settings, such as `512M`; undefined for any other text. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit = ""] = text.match(/^(0|[1-9]\d{0,15})([KMGT]?)$/) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit] ?? 1);
}
