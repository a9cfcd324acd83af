/** What went wrong, in the words that decide the exit code. */

/**
 * Whose failure it is.
 *
 * - `usage`: the command line is wrong
 * - `refused`: what was asked for cannot be granted, and a second try would not change that
 * - `host`: the machine room failed, and a second try may succeed
 */
export type FailureKind = "usage" | "refused" | "host";

/** A failure that is told to the user as one message with a hint; anything else is a bug. */
export class Failure extends Error {
  /** Whose failure it is. */
  readonly kind: FailureKind;
  /** What to do about it, in one line. */
  readonly hint: string | undefined;

  /**
   * @param kind Whose failure it is.
   * @param message What failed, without a final period.
   * @param hint What to do about it.
   */
  constructor(kind: FailureKind, message: string, hint?: string) {
    super(message);
    this.name = "Failure";
    this.kind = kind;
    this.hint = hint;
  }
}

/**
 * A wrong command line.
 *
 * @param message What is wrong.
 * @param hint What would be right.
 * @returns The failure, to be thrown.
 */
export function usageError(message: string, hint?: string): Failure {
  return new Failure("usage", message, hint);
}

/**
 * A request that stays wrong however often it is repeated: unknown image, bad configuration.
 *
 * @param message What is refused.
 * @param hint What would be granted.
 * @returns The failure, to be thrown.
 */
export function refused(message: string, hint?: string): Failure {
  return new Failure("refused", message, hint);
}

/**
 * A failure of the host, worth a second try.
 *
 * @param message What failed.
 * @param hint What to do about it.
 * @returns The failure, to be thrown.
 */
export function hostFailure(message: string, hint?: string): Failure {
  return new Failure("host", message, hint);
}

/**
 * The text of anything that was thrown.
 *
 * @param error What was caught.
 * @returns Its message.
 */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
