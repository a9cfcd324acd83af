/**
 * Returns a text that cannot control a terminal: control characters other than line breaks and tabs, and the marks that
 * change the direction of writing, are replaced.
 */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
