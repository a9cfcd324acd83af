import type { ChrootName } from "../../config/chroot_name.ts";
import type { OwnSettings } from "../../config/settings.ts";
import type { ImageConfig } from "../../images/store/image_config.ts";

/** A chroot that machines can start from. */
export interface Chroot {
  readonly name: ChrootName;
  /** The path of its tree, without symlinks. */
  readonly path: string;
  /** The number of its current generation; null for a tree that another program made. */
  readonly generation: number | null;
  /** How programs run in it, where it was made from an image. */
  readonly image: ImageConfig | null;
  /**
   * The settings of its machines: those of its definition, then those of its playbook; the first
   * counts.
   */
  readonly own: readonly OwnSettings[];
  /** The command that runs in it as a service, as its definition has it; null for none. */
  readonly service: readonly string[] | null;
}
