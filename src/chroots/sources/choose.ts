/** Chooses the source of a chroot. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { refused } from "../../failure.ts";
import type { Recipe } from "../definition/recipe.ts";
import type { ChrootContext } from "../generations/context.ts";
import { archiveSource } from "./archive.ts";
import { chrootSource } from "./chroot.ts";
import { dirSource } from "./dir.ts";
import { imageSource } from "./image.ts";
import type { Source } from "./source.ts";
import { chooseSuite } from "./suite.ts";
import { tarSource } from "./tar.ts";

/** Sources of which the definition names the kind: `tar:/srv/root.tar.zst`. */
const NAMED: Readonly<Record<string, (context: ChrootContext, source: string) => Promise<Source>>> =
  {
    tar: tarSource,
    dir: dirSource,
    docker: imageSource,
    oci: imageSource,
  };

/** What can name a suite in addition to the definition and the playbook. */
export interface SuiteHints {
  /** The value of `--suite`. */
  readonly option?: string | undefined;
  /** The suite that the chroot was made from before. */
  readonly record?: string | undefined;
}

/**
 * Returns the source of a chroot, checked as far as that is possible before the build.
 *
 * @throws {Failure} where the source cannot be used.
 */
export async function chooseSource(
  context: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
  hints: SuiteHints,
): Promise<Source> {
  const { source, suite, extends: base } = recipe.build;
  if (hints.option !== undefined && (source ?? base) !== undefined) {
    throw refused(
      "Cannot use --suite: the definition names a source",
      `Change the definition: it names ${source ?? base}`,
    );
  }
  if (source !== undefined) return await NAMED[source.split(":")[0]!]!(context, source);
  if (base !== undefined) return await chrootSource(context, name, base);
  const sources = { ...hints, definition: suite, playbook: recipe.playbook?.suite };
  return await archiveSource(context.host, await chooseSuite(context.host, name, sources), recipe);
}
