/** Text that cannot control a terminal. */

/** Control characters but line breaks and tabs, and the marks that change the direction of writing. */
// deno-lint-ignore no-control-regex
export const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** Returns a text in which what controls a terminal is replaced. */
export function printable(text: string): string {
  return text.replaceAll(CONTROLS, "\ufffd");
}
