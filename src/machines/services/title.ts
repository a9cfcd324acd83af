/** How messages name a service. */

/**
 * Returns the image of a service with one of its names. The last one is the job's own, where the job gave it any.
 *
 * @param image As the job names it.
 */
export function serviceTitle(image: string, aliases: readonly string[]): string {
  return `${image} (${aliases.at(-1)})`;
}
