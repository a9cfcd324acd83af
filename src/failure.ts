/** The failures that users see, each with the kind that decides the exit code. */

/**
 * What kind of failure it is.
 *
 * - `usage`: the command line is wrong
 * - `refused`: the request cannot be granted, and a second try would not change that
 * - `host`: the host failed, and a second try may succeed
 */
export type FailureKind = "usage" | "refused" | "host";

/** A failure that is shown to the user as one message with a hint; any other error is a bug. */
export class Failure extends Error {
  /** What decides the exit code. */
  readonly kind: FailureKind;
  /** What the user can do about it, in one line. */
  readonly hint: string | undefined;

  /**
   * Describes a failure.
   *
   * @param message `Cannot VERB OBJECT: REASON`, without a final period.
   * @param cause The error behind this one, which `--debug` shows.
   */
  constructor(kind: FailureKind, message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "Failure";
    this.kind = kind;
    this.hint = hint;
  }
}

/** Returns the failure of a wrong command line. */
export function usageError(message: string, hint?: string): Failure {
  return new Failure("usage", message, hint);
}

/** Returns the failure of a request that stays wrong if it is repeated, as an unknown image. */
export function refused(message: string, hint?: string, cause?: unknown): Failure {
  return new Failure("refused", message, hint, cause);
}

/** Returns a failure of the host, which is worth a second try. */
export function hostFailure(message: string, hint?: string, cause?: unknown): Failure {
  return new Failure("host", message, hint, cause);
}

/** Returns the message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the stack of any thrown value, and those of its causes. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\nCaused by: ${stackOf(error.cause)}`;
}
