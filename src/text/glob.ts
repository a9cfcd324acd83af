/** Patterns of names, in the words of a shell. */

/**
 * The regular expression of a pattern. `*` and `?` match any letters, `[…]` one of several.
 *
 * @param pattern Letters, digits, `.`, `_`, `-`, and what matches.
 * @returns Undefined where it is no pattern.
 */
export function globRegExp(pattern: string): RegExp | undefined {
  const parts = pattern.match(/\[!?[A-Za-z0-9._-]+\]|[A-Za-z0-9_*?.-]/g) ?? [];
  if (parts.length === 0 || parts.join("") !== pattern) return undefined;
  const source = parts.map((part) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    return part.startsWith("[!") ? `[^${part.slice(2)}` : part.replace(".", "\\.");
  }).join("");
  try {
    return new RegExp(`^(?:${source})$`);
  } catch {
    return undefined; // a range that runs backwards
  }
}
