/** Patterns for names, as in a shell. */

/**
 * Returns the regular expression of a pattern; undefined where the pattern is invalid.
 *
 * @param pattern Letters, digits, `.`, `_` and `-`; `*` and `?` for any letters, `[…]` for one of several.
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
