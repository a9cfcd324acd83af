import type { OwnSettings } from "../../config/settings.ts";
import type { ImageConfig } from "../generations/oci_config.ts";
import type { ChrootName } from "../../config/chroot_name.ts";

/** A chroot that machines can start from. */
export interface Chroot {
  readonly name: ChrootName;
  /** Its tree, without symlinks on the way. */
  readonly path: string;
  /** The number of its current generation; null for a tree that is none of ours. */
  readonly generation: number | null;
  /** How programs run in it, where an image says so. */
  readonly image: ImageConfig | null;
  /** What differs for its machines, best first: its definition's word, its playbook's. */
  readonly own: readonly OwnSettings[];
}
