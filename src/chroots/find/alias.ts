/** Aliases: other names of chroots, which their definitions give them. */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { definedNames } from "../definition/defined_names.ts";
import { findDefinition } from "../definition/find_definition.ts";

/**
 * Finds the chroot whose definition has one of some names as an alias. A definition that cannot be
 * read has none: the use of its own chroot fails with the reason.
 *
 * @param names What an image may mean, best first.
 * @returns Null where no definition has such an alias.
 * @throws {Failure} where two definitions have the same alias.
 */
export async function chrootOfAlias(
  host: Host,
  config: Config,
  names: readonly ChrootName[],
): Promise<ChrootName | null> {
  const aliasesOf: (readonly [ChrootName, readonly string[]])[] = [];
  for (const name of [...await definedNames(host, config)].sort()) {
    const found = await findDefinition(host, config, name).catch(() => null);
    aliasesOf.push([name, found?.definition.build.aliases ?? []]);
  }
  for (const alias of names) {
    const [first, second] = aliasesOf.filter(([, aliases]) => aliases.includes(alias));
    if (first !== undefined && second !== undefined) {
      throw refused(
        `Cannot use image ${alias}: ${first[0]} and ${second[0]} both have that alias`,
        "Remove the alias from one of the two definitions",
      );
    }
    if (first !== undefined) return first[0];
  }
  return null;
}
