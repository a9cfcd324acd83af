/** Reads the configuration and definitions. The first value that is not allowed is an error that names its key. */

import { basename, dirname, isAbsolute, join } from "@std/path/posix";
import { messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { nearest } from "../text/nearest.ts";
import { SETTINGS } from "./schema.ts";
import type { Setting, Value } from "./setting.ts";
import type {
  BuildSettings,
  ChrootSettings,
  Config,
  ConfigSettings,
  Definition,
  OwnSettings,
} from "./settings.ts";
import { repeatedKey } from "./repeated_key.ts";

const DEFAULT_PATH = "/etc/nspawn-runner/config.toml";

type Values = Readonly<Record<string, unknown>>;

/**
 * Reads the configuration: the file of `--config`, else of `$NSPAWN_RUNNER_CONFIG`, else the default one,
 * which may be missing.
 *
 * @param path The value of `--config`.
 * @throws {Failure} if a file that was asked for is missing, or its content is not allowed.
 */
export async function loadConfig(host: Host, path: string | undefined): Promise<Config> {
  const requested = path ?? (host.env("NSPAWN_RUNNER_CONFIG") || undefined);
  const file = requested ?? DEFAULT_PATH;
  const text = await readText(host, file);
  if (text === null && requested !== undefined) {
    throw refused(
      `Cannot read configuration ${file}: no such file`,
      `Create it, or leave out ${path === undefined ? "$NSPAWN_RUNNER_CONFIG" : "--config"}`,
    );
  }
  const values = text === null ? {} : await checkedValues(text, file, "config");
  const config = typed(nested({ ...defaults(), ...values }), isConfig);
  return {
    ...config,
    store: await withoutSymlinks(host, config.store),
    file: isAbsolute(file) ? file : await host.files.real(file) ?? file,
  };
}

/** A store has one name, by which paths in it are compared, however the configuration leads to it. */
async function withoutSymlinks(host: Host, path: string): Promise<string> {
  const real = await host.files.real(path);
  if (real !== null || path === "/") return real ?? path;
  return join(await withoutSymlinks(host, dirname(path)), basename(path)); // not created yet
}

function defaults(): Values {
  return Object.fromEntries(
    SETTINGS.filter(({ where }) => where !== "definition")
      .map(({ key, default: value, check }) => [key, value && check(value)]),
  );
}

/**
 * Parses a definition: settings of the chroot's machines, and how the chroot is built.
 *
 * @param path The file, for messages.
 * @returns The settings that the file holds, without defaults.
 * @throws {Failure} if the content is not allowed.
 */
export async function parseDefinition(text: string, path: string): Promise<Definition> {
  const values = await checkedValues(text, path, "definition");
  const origins = ["suite", "source", "extends"].filter((key) => key in values);
  if (origins.length > 1) {
    throw refused(`Cannot use ${path}: ${origins.join(" and ")} exclude each other`, "Keep one");
  }
  const part = (where: Setting["where"]) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => hasField(key, where)));
  return {
    build: typed(part("definition"), isBuildSettings),
    machine: typed(nested(part("both")), isOwnSettings),
  };
}

/** Variables of a playbook, and the settings that they set. */
const VARIABLES: Readonly<Record<string, string>> = {
  nspawn_runner_mirror: "mirror",
  nspawn_runner_cpu_weight: "limits.cpu_weight",
  nspawn_runner_memory_high: "limits.memory_high",
  nspawn_runner_memory_max: "limits.memory_max",
  nspawn_runner_seccomp: "seccomp",
};

/**
 * Returns the settings that a playbook's variables set for the machines of its chroot.
 *
 * @param variables Plain scalars, as the playbook has them.
 * @param path The playbook, for messages.
 * @throws {Failure} if a value is not allowed.
 */
export function settingsOfVariables(
  variables: Readonly<Record<string, string>>,
  path: string,
): OwnSettings {
  const values: Record<string, unknown> = {};
  for (const [variable, key] of Object.entries(VARIABLES)) {
    const text = variables[variable];
    if (text === undefined) continue;
    const field = SETTINGS.find((field) => field.key === key)!;
    const checked = field.check(scalar(text));
    if (checked === undefined) {
      throw refused(`Cannot use ${path}: ${variable} must be ${field.allowed}`);
    }
    values[key] = checked;
  }
  return typed(nested(values), isOwnSettings);
}

/** Returns the value of a plain scalar of YAML, for the types that settings have. */
function scalar(text: string): string | number | boolean {
  if (/^(?:true|yes|on)$/i.test(text)) return true;
  if (/^(?:false|no|off)$/i.test(text)) return false;
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

/**
 * Returns the settings of a chroot and its machines.
 *
 * @param own The chroot's own settings; of two values of one setting the first counts.
 */
export function settingsFor(
  config: ConfigSettings,
  ...own: readonly OwnSettings[]
): ChrootSettings {
  return own.reduceRight<ChrootSettings>(
    (settings, { limits, ...more }) => ({
      ...settings,
      ...more,
      limits: { ...settings.limits, ...limits },
    }),
    config,
  );
}

/**
 * Reads a file of settings; null where it does not exist.
 *
 * @throws {Failure} if it cannot be read.
 */
export async function readText(host: Host, file: string): Promise<string | null> {
  try {
    return await host.files.read(file);
  } catch (error) {
    throw refused(`Cannot read configuration ${file}: ${messageOf(error)}`, undefined, error);
  }
}

/** Returns checked values by dotted key. */
async function checkedValues(
  text: string,
  file: string,
  where: "config" | "definition",
): Promise<Values> {
  const fields = SETTINGS.filter((field) => field.where === "both" || field.where === where);
  const values: Record<string, unknown> = {};
  for (const [key, value] of await writtenValues(text, file)) {
    values[key] = checkedValue(fieldOf(fields, key, file), value, file);
  }
  return values;
}

/**
 * Returns the values of a file with their dotted keys, as they are written and not checked.
 *
 * @throws {Failure} if it is not TOML.
 */
export async function writtenValues(text: string, file: string): Promise<[string, unknown][]> {
  return leaves(await parseToml(text, file));
}

async function parseToml(text: string, file: string): Promise<Values> {
  const content = text.replace(/^\uFEFF/, "");
  // Not every parser accepts a byte order mark, or a file without a value.
  if (!/^\s*[^#\s]/m.test(content)) return {};
  const { parse } = await import("./toml.ts");
  try {
    const values = parse(content);
    const repeated = repeatedKey(content);
    if (repeated !== undefined) throw new SyntaxError(`${repeated} is set twice`);
    return values;
  } catch (error) {
    throw refused(`Cannot read ${file}: ${messageOf(error).trim()}`, "It must be TOML 1.0", error);
  }
}

/** Returns all values with their dotted keys; of a table that settings have, the values in it. */
function leaves(values: Values, path = ""): [string, unknown][] {
  return Object.entries(values).flatMap(([key, value]): [string, unknown][] => {
    const name = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
    const dotted = path === "" ? name : `${path}.${name}`;
    return isTable(value) && isPrefix(dotted) ? leaves(value, dotted) : [[dotted, value]];
  });
}

function isTable(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

function isPrefix(dotted: string): boolean {
  return SETTINGS.some(({ key }) => key.startsWith(`${dotted}.`));
}

function fieldOf(fields: readonly Setting[], key: string, file: string): Setting {
  const field = fields.find((field) => field.key === key);
  if (field !== undefined) return field;
  if (isPrefix(key)) throw refused(`Cannot use ${file}: ${key} must be a table`, `Write [${key}]`);
  throw refused(`Cannot use ${file}: unknown key ${key}`, keyHint(fields, key));
}

function keyHint(fields: readonly Setting[], key: string): string {
  const elsewhere = SETTINGS.find((field) => field.key === key)?.where;
  if (elsewhere === "config") return "Write it into the configuration, config.toml";
  if (elsewhere === "definition") return "Write it into the definition of a chroot";
  const keys = fields.map((field) => field.key);
  const near = nearest(key, keys);
  return near === undefined ? "All keys: man nspawn-runner.toml" : `Did you mean ${near}?`;
}

function checkedValue(field: Setting, value: unknown, file: string): Value {
  const checked = field.check(value);
  if (checked !== undefined) return checked;
  throw refused(`Cannot use ${file}: ${field.key} must be ${field.allowed}`);
}

/** Returns values by key, those of `limits.x` in a table of their own. */
function nested(values: Values): Values {
  const result: Record<string, unknown> = {};
  for (const [dotted, value] of Object.entries(values)) {
    const [table = "", name] = dotted.split(".");
    if (name === undefined) result[table] = value;
    else result[table] = { ...(isTable(result[table]) ? result[table] : {}), [name]: value };
  }
  return result;
}

/** Returns values that passed their checks under the type that the table of settings gives to their keys. */
function typed<T extends Values>(values: Values, hasKeys: (values: Values) => values is T): T {
  if (hasKeys(values)) return values;
  throw new TypeError(`Settings with wrong keys: ${Object.keys(values).join(", ")}`);
}

function isConfig(values: Values): values is ConfigSettings {
  const keys = new Set(leaves(values).map(([key]) => key));
  return SETTINGS.every(({ key, where }) => keys.has(key) !== (where === "definition"));
}

function isBuildSettings(values: Values): values is BuildSettings {
  return Object.keys(values).every((key) => hasField(key, "definition"));
}

function isOwnSettings(values: Values): values is OwnSettings {
  return leaves(values).every(([key]) => hasField(key, "both"));
}

function hasField(key: string, where: Setting["where"]): boolean {
  return SETTINGS.some((field) => field.key === key && field.where === where);
}
