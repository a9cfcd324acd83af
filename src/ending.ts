/** How a script in a machine ended; `gitlab/` alone turns it into an exit code. */
export type Ending =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: number }
  | { readonly kind: "out-of-memory"; readonly limit: string }
  | { readonly kind: "lost"; readonly reason: string };

/** Returns whether a script ended with exit code 0. */
export function isSuccess(ending: Ending): boolean {
  return ending.kind === "exited" && ending.code === 0;
}
