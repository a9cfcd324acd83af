import type { ChrootName } from "../../config/chroot_name.ts";
import { Failure, type FailureKind } from "../../failure.ts";

/**
 * A failure whose message already names the chroot, as `Cannot VERB chroot NAME: REASON`:
 * changeChroot() passes it on as it is.
 */
export class ChrootFailure extends Failure {
  readonly chroot: ChrootName;

  constructor(
    kind: FailureKind,
    chroot: ChrootName,
    message: string,
    hint?: string,
    cause?: unknown,
  ) {
    super(kind, message, hint, cause);
    this.chroot = chroot;
  }
}
