/** How a script in a machine ended: never a bare number until `gitlab/` makes one of it. */
export type Ending =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: number }
  | { readonly kind: "out-of-memory"; readonly limit: string }
  | { readonly kind: "lost"; readonly reason: string };

/**
 * Whether a script ended well.
 *
 * @param ending How it ended.
 * @returns True for code 0.
 */
export function isSuccess(ending: Ending): boolean {
  return ending.kind === "exited" && ending.code === 0;
}
