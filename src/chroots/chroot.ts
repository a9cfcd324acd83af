import type { Definition } from "../config/settings.ts";
import type { ChrootName } from "./name.ts";

/** A chroot that machines can start from. */
export interface Chroot {
  readonly name: ChrootName;
  /** Its tree, without symlinks on the way. */
  readonly path: string;
  /** Its definition, where there is one. */
  readonly definition: Definition | null;
}
