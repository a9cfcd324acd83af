import type { OwnSettings } from "../config/settings.ts";
import type { ChrootName } from "./name.ts";

/** A chroot that machines can start from. */
export interface Chroot {
  readonly name: ChrootName;
  /** Its tree, without symlinks on the way. */
  readonly path: string;
  /** What differs for its machines, best first: its definition's word, its playbook's. */
  readonly own: readonly OwnSettings[];
}
