/** Other names of chroots, as their definitions give them. */

import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { findDefinition } from "../definition/definition.ts";
import { definedNames } from "./list.ts";
import type { ChrootName } from "../../config/chroot_name.ts";

/**
 * The chroot whose definition claims one of some names.
 *
 * @param host The outside.
 * @param config Where definitions are.
 * @param names What an image may mean, best first.
 * @returns Null where none does. A definition that cannot be read claims nothing: whoever uses its chroot
 *   is told.
 * @throws {Failure} where two claim the same name.
 */
export async function chrootOfAlias(
  host: Host,
  config: Config,
  names: readonly ChrootName[],
): Promise<ChrootName | null> {
  const claims: (readonly [ChrootName, readonly string[]])[] = [];
  for (const name of [...await definedNames(host, config)].sort()) {
    const found = await findDefinition(host, config, name).catch(() => null);
    claims.push([name, found?.definition.build.aliases ?? []]);
  }
  for (const alias of names) {
    const [first, second] = claims.filter(([, aliases]) => aliases.includes(alias));
    if (first !== undefined && second !== undefined) {
      throw refused(
        `Cannot use image ${alias}: ${first[0]} and ${second[0]} both claim it`,
        "An alias stands in one definition alone",
      );
    }
    if (first !== undefined) return first[0];
  }
  return null;
}
