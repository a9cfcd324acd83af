/** Returns a time span in its one or two largest units: `42s`, `7min`, `3h5min`, `12d`. */
export function formatAge(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h${minutes % 60}min` : `${Math.floor(hours / 24)}d`;
}
