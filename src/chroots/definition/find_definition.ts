/** Finds and reads the definition of a chroot; its keys are in src/config/definition_settings.ts. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { Config, Definition } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";

/** A definition, with the folder in which it was found. */
export interface FoundDefinition {
  readonly folder: string;
  readonly definition: Definition;
  /** The file's content. */
  readonly text: string;
}

/**
 * Finds the definition of a chroot, first in the folder of definitions, then in the store.
 *
 * @returns Null where the chroot has none.
 * @throws {Failure} where the file is not a valid definition.
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
