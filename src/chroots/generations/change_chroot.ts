/** One change of a chroot: under its lock, with failures that name the chroot. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { Failure } from "../../failure.ts";
import { ChrootFailure } from "./chroot_failure.ts";
import type { ChrootContext } from "./context.ts";
import { whileChrootLocked } from "./lock.ts";

/**
 * Changes a chroot while no other process changes it.
 *
 * @param verb The change, as in `Cannot VERB chroot NAME`.
 * @throws {Failure} `Cannot VERB chroot NAME: REASON`, where the change fails or is interrupted.
 */
export async function changeChroot<T>(
  context: ChrootContext,
  name: ChrootName,
  verb: string,
  change: () => Promise<T>,
): Promise<T> {
  return await whileChrootLocked(context, name, async () => {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof Failure) || namesChroot(error, name)) throw error;
      const reason = context.interrupt.aborted ? "interrupted" : lowerFirst(error.message);
      throw new Failure(error.kind, `Cannot ${verb} chroot ${name}: ${reason}`, error.hint, error);
    }
  });
}

function namesChroot(error: Failure, name: ChrootName): boolean {
  return error instanceof ChrootFailure && error.chroot === name;
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
