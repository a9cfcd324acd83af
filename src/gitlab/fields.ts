/** Fields of the JSON that GitLab Runner writes, whose types nobody has checked. */

/** Returns a text that is not empty; GitLab Runner writes absent texts as empty ones. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Returns the texts of a list, also empty ones. */
export function textsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
}
