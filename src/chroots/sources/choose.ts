/** Which source a chroot has. */

import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { ChrootName } from "../name.ts";
import type { Recipe } from "../recipe.ts";
import { chooseSuite } from "../suite.ts";
import { archiveSource } from "./archive.ts";
import { dirSource } from "./dir.ts";
import type { Source } from "./source.ts";
import { tarSource } from "./tar.ts";

/** Sources that a definition names with a word of their own: `tar:/srv/root.tar.zst`. */
const NAMED: Readonly<Record<string, (host: Host, rest: string) => Promise<Source>>> = {
  tar: tarSource,
  dir: dirSource,
};

/** Who besides the definition may name a suite. */
export interface Said {
  /** `--suite` */
  readonly option?: string | undefined;
  /** What the chroot was made from before. */
  readonly record?: string | undefined;
}

/**
 * What a chroot is made from.
 *
 * @param host The outside.
 * @param name The chroot.
 * @param recipe What its definition and playbook say.
 * @param said What others say.
 * @returns The source, checked as far as that is possible before anything is made.
 * @throws {Failure} where it cannot be used.
 */
export async function chooseSource(
  host: Host,
  name: ChrootName,
  recipe: Recipe,
  said: Said,
): Promise<Source> {
  const { source, suite } = recipe.making;
  if (source !== undefined) {
    if (said.option !== undefined) {
      throw refused("Cannot use --suite: its definition names a source", `It says ${source}`);
    }
    const [kind = "", rest = ""] = source.split(/:(.*)/s);
    return await NAMED[kind]!(host, rest);
  }
  const sources = { ...said, definition: suite, playbook: recipe.playbook?.suite };
  return await archiveSource(host, await chooseSuite(host, name, sources), recipe);
}
