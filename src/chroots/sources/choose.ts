/** Which source a chroot has. */

import { refused } from "../../failure.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { Recipe } from "../definition/recipe.ts";
import { chooseSuite } from "./suite.ts";
import type { ChrootContext } from "../generations/context.ts";
import { archiveSource } from "./archive.ts";
import { chrootSource } from "./chroot.ts";
import { dirSource } from "./dir.ts";
import { imageSource } from "./image.ts";
import type { Source } from "./source.ts";
import { tarSource } from "./tar.ts";

/** Sources that a definition names with a word of their own: `tar:/srv/root.tar.zst`. */
const NAMED: Readonly<Record<string, (work: ChrootContext, source: string) => Promise<Source>>> = {
  tar: tarSource,
  dir: dirSource,
  docker: imageSource,
  oci: imageSource,
};

/** Who besides the definition may name a suite. */
export interface SuiteHints {
  /** `--suite` */
  readonly option?: string | undefined;
  /** What the chroot was made from before. */
  readonly record?: string | undefined;
}

/**
 * What a chroot is made from.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param recipe What its definition and playbook say.
 * @param said What others say.
 * @returns The source, checked as far as that is possible before anything is made.
 * @throws {Failure} where it cannot be used.
 */
export async function chooseSource(
  work: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
  said: SuiteHints,
): Promise<Source> {
  const { source, suite, extends: base } = recipe.build;
  if (said.option !== undefined && (source ?? base) !== undefined) {
    throw refused("Cannot use --suite: its definition names a source", `It says ${source ?? base}`);
  }
  if (source !== undefined) return await NAMED[source.split(":")[0]!]!(work, source);
  if (base !== undefined) return await chrootSource(work, name, base);
  const sources = { ...said, definition: suite, playbook: recipe.playbook?.suite };
  return await archiveSource(work.host, await chooseSuite(work.host, name, sources), recipe);
}
