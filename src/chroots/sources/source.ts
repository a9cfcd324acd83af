/** What a chroot is built from. */

import type { Host } from "../../host/host.ts";
import type { ImageConfig } from "../../images/store/image_config.ts";
import type { ChrootPaths } from "../generations/paths.ts";

/** A source, found and checked. */
export interface Source {
  /** As records and lists show it: a suite, or the source as the definition names it. */
  readonly origin: string;
  /** Completes the message `Making chroot NAME …`. */
  readonly how: string;
  /** The state of the source; null where two states cannot be told apart. */
  readonly pin: string | null;
  /** The strangers' image or tar file from which its programs come; null where the administrator made them. */
  readonly stranger: string | null;
  /** Whether the pin says all: the packages of such a chroot are never upgraded. */
  readonly isImmutable: boolean;
  /** Whether fill() installs the packages that a definition names. */
  readonly installsPackages: boolean;
  /**
   * Fills an empty tree.
   *
   * @returns How programs run in it; null where the source does not tell.
   */
  fill(host: Host, paths: ChrootPaths, interrupt: AbortSignal): Promise<ImageConfig | null>;
}
