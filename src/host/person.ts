/** What a person types on stdin, and sees. */

import type { TerminalSize } from "./host.ts";

/** Returns the size of the terminal; one whose program has not set it has neither lines nor columns. */
export function terminalSize(): TerminalSize {
  const { rows, columns } = Deno.consoleSize();
  return { rows: rows || Infinity, columns: columns || Infinity };
}

/** Waits until a key is pressed on the terminal, which does not show it, or until aborted. */
export async function key(interrupt: AbortSignal): Promise<void> {
  Deno.stdin.setRaw(true, { cbreak: true }); // Ctrl-C is still a signal
  try {
    await readUnlessAborted(new Uint8Array(1), interrupt);
  } finally {
    Deno.stdin.setRaw(false);
  }
}

/** Waits for a line; null at the end of stdin, or when aborted. */
export async function answer(interrupt: AbortSignal): Promise<string | null> {
  const bytes = new Uint8Array(1024);
  const count = await readUnlessAborted(bytes, interrupt);
  return count === null ? null : new TextDecoder().decode(bytes.subarray(0, count)).trim();
}

/** Reads from stdin; null at its end, or when aborted. */
async function readUnlessAborted(
  bytes: Uint8Array,
  interrupt: AbortSignal,
): Promise<number | null> {
  if (interrupt.aborted) return null;
  const aborted = new Promise<null>((resolve) =>
    interrupt.addEventListener("abort", () => resolve(null), { once: true })
  );
  return await Promise.race([Deno.stdin.read(bytes), aborted]);
}
