/** Where the value of each setting comes from: a default, the configuration, a definition or a playbook. */

import { findDefinition } from "../chroots/definition/find_definition.ts";
import { findPlaybook } from "../chroots/definition/playbook.ts";
import { unknownImage } from "../chroots/find/image_failures.ts";
import { lookUpTree } from "../chroots/find/lookup.ts";
import { isChrootName, NAME_RULE } from "../config/chroot_name.ts";
import { writtenValues } from "../config/load.ts";
import { SETTINGS } from "../config/schema.ts";
import type { Config, OwnSettings } from "../config/settings.ts";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";

/** A setting with its value in force. */
export interface SettingOrigin {
  /** Dotted: `limits.memory_max`. */
  readonly key: string;
  /** As it is written; null where the setting has no value. */
  readonly value: unknown;
  /** The file that sets it; null for the default. */
  readonly file: string | null;
}

/** A file with the values that it sets. */
interface Source {
  readonly file: string;
  readonly values: ReadonlyMap<string, unknown>;
}

/**
 * Returns all settings of the configuration; with a chroot, as its definition and its playbook change them, and with the
 * settings of its build.
 *
 * @param chroot The name of a chroot that exists or has a definition.
 * @throws {Failure} where there is no such chroot, or a file cannot be used.
 */
export async function settingOrigins(
  host: Host,
  config: Config,
  chroot: string | undefined,
): Promise<SettingOrigin[]> {
  const text = await host.files.read(config.file) ?? "";
  const sources = [
    ...(chroot === undefined ? [] : await sourcesOf(host, config, chroot)),
    { file: config.file, values: new Map(await writtenValues(text, config.file)) },
  ];
  return SETTINGS.filter(({ where }) => chroot !== undefined || where !== "definition")
    .map(({ key, default: value = null }) => {
      const source = sources.find(({ values }) => values.has(key));
      return source === undefined
        ? { key, value, file: null }
        : { key, value: source.values.get(key), file: source.file };
    });
}

/** Returns the files of a chroot, the one that counts first. */
async function sourcesOf(host: Host, config: Config, name: string): Promise<Source[]> {
  if (!isChrootName(name)) {
    throw refused(`Cannot use ${JSON.stringify(name)}: no chroot can have this name`, NAME_RULE);
  }
  const found = await findDefinition(host, config, name);
  const playbook = await findPlaybook(host, config, name, found);
  const sources: Source[] = [];
  if (found !== null) {
    const values = await writtenValues(found.text, found.path);
    sources.push({ file: found.path, values: new Map(values) });
  }
  if (playbook !== null) sources.push({ file: playbook.path, values: valuesOf(playbook.machine) });
  if (sources.length === 0 && await lookUpTree(host, config.store, name) === null) {
    throw await unknownImage(host, config, name);
  }
  return sources;
}

/** Returns settings by their dotted keys. */
function valuesOf({ limits = {}, ...settings }: OwnSettings): Map<string, unknown> {
  const dotted = Object.entries(limits).map(([key, value]) => [`limits.${key}`, value] as const);
  return new Map<string, unknown>([...Object.entries(settings), ...dotted]);
}
