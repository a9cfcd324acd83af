/** Finds and reads the definition of a chroot; its keys are in src/config/definition_settings.ts. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { Config, Definition } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";

/** A definition, with the folder in which it was found. */
export interface FoundDefinition {
  readonly folder: string;
  /** The file; words for it where the definition is the program's own. */
  readonly path: string;
  readonly definition: Definition;
  /** The file's content. */
  readonly text: string;
}

/**
 * Finds the definition of a chroot, first in the folder of definitions, then in the store. The helper root has one in any
 * case.
 *
 * @returns Null where the chroot has none.
 * @throws {Failure} where the file is not a valid definition.
 */
export async function findDefinition(
  host: Host,
  config: Config,
  name: ChrootName,
): Promise<FoundDefinition | null> {
  const file = await findFile(host, config, name);
  if (file === null) return null;
  return { ...file, definition: await parse(file) };
}

/**
 * Finds the definition of a chroot as {@linkcode findDefinition} does; null also where it is not valid, or has none of some
 * words: such definitions are not parsed, which takes longer than all else.
 */
export async function usableDefinition(
  host: Host,
  config: Config,
  name: ChrootName,
  words: readonly string[],
): Promise<FoundDefinition | null> {
  const file = await findFile(host, config, name);
  if (file === null || !words.some((word) => file.text.includes(word))) return null;
  const definition = await parse(file).catch(() => null);
  return definition && { ...file, definition };
}

type DefinitionFile = Omit<FoundDefinition, "definition">;

async function findFile(
  host: Host,
  config: Config,
  name: ChrootName,
): Promise<DefinitionFile | null> {
  for (const folder of [config.definitions, config.store]) {
    const path = join(folder, `${name}.toml`);
    const text = await host.files.read(path);
    if (text !== null) return { folder, path, text };
  }
  if (name !== "helper") return null;
  const { HELPER_DEFINITION } = await import("./helper_definition.ts");
  return { folder: config.definitions, path: "the definition of helper", text: HELPER_DEFINITION };
}

async function parse({ text, path }: DefinitionFile): Promise<Definition> {
  const { parseDefinition } = await import("../../config/load.ts");
  return await parseDefinition(text, path);
}
