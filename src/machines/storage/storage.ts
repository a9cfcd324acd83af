/** The joint that answers: how are a machine's writes kept off its chroot? */

import type { Host } from "../../host/host.ts";
import type { StorageKind } from "../lease.ts";

/** A root that a machine may write to without its chroot seeing any of it. */
export interface Root {
  /** nspawn's options for it. */
  readonly options: readonly string[];
}

/** One way to keep writes apart. */
export interface Storage {
  readonly kind: StorageKind;
  /**
   * Makes the root of a machine.
   *
   * @param host The outside.
   * @param chroot The chroot's path.
   * @param folder The machine's own folder, which exists and is empty.
   * @throws {Failure} of the host.
   */
  open(host: Host, chroot: string, folder: string): Promise<Root>;
  /**
   * Removes what the machine wrote, and its folder. Fine when there is nothing.
   *
   * @param host The outside.
   * @param folder The machine's own folder.
   * @throws {Failure} of the host.
   */
  close(host: Host, folder: string): Promise<void>;
}
