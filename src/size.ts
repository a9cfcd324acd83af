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
