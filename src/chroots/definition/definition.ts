/** Definitions: how a chroot is made, and what differs for its machines. */

import { join } from "@std/path/posix";
import type { Config, Definition } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import type { ChrootName } from "../../config/chroot_name.ts";

/** A definition with the folder that it lies in. */
export interface FoundDefinition {
  readonly folder: string;
  readonly definition: Definition;
  /** The file, as it stands there. */
  readonly text: string;
}

/**
 * The definition of a chroot.
 *
 * @param host The outside.
 * @param config Where definitions are: their own folder before the store.
 * @param name The chroot.
 * @returns Null where it has none.
 * @throws {Failure} where the file holds what it may not.
 */
export async function findDefinition(
  host: Host,
  config: Config,
  name: ChrootName,
): Promise<FoundDefinition | null> {
  for (const folder of [config.definitions, config.store]) {
    const path = join(folder, `${name}.toml`);
    const text = await host.files.read(path);
    if (text === null) continue;
    const { parseDefinition } = await import("../../config/load.ts");
    return { folder, definition: await parseDefinition(text, path), text };
  }
  return null;
}
