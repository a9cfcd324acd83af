/** The joint that answers: what is a chroot made from? */

import type { Host } from "../../host/host.ts";
import type { ImageConfig } from "../generations/oci_config.ts";
import type { ChrootPlaces } from "../generations/places.ts";

/** Something that a chroot can be made from, found and checked. */
export interface Source {
  /** As records and lists show it: a suite, or what the definition says. */
  readonly origin: string;
  /** How the chroot is made, to follow `Making chroot NAME`. */
  readonly how: string;
  /** Which state of its origin that is; null where nobody can tell one from another. */
  readonly pin: string | null;
  /** Whether the chroot is that state and nothing newer: its packages are never brought up to date. */
  readonly isFixed: boolean;
  /** Whether filling brings the packages that a definition names. */
  readonly bringsPackages: boolean;
  /**
   * Fills an empty tree.
   *
   * @param host The outside.
   * @param places Where.
   * @param interrupt Gives up when aborted.
   * @returns How programs run in it; null where the source does not say.
   * @throws {Failure} of the host where it fails.
   */
  fill(host: Host, places: ChrootPlaces, interrupt: AbortSignal): Promise<ImageConfig | null>;
}
