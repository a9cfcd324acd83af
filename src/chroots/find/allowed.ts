import type { Config } from "../../config/settings.ts";
import { globRegExp } from "../../text/glob.ts";

/** Returns whether `allowed_images` lets jobs use a chroot. */
export function isAllowed({ allowed_images }: Config, name: string): boolean {
  return allowed_images.some((pattern) => globRegExp(pattern)?.test(name));
}
