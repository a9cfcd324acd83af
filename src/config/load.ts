/** Reads the configuration and definitions, strictly: one error, with the dotted path and what is allowed. */

import { nearest } from "../text/nearest.ts";
import { messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { type Field, FIELDS, type Value } from "./schema.ts";
import type { Config, Definition, MachineSettings, OwnSettings } from "./settings.ts";

const STANDARD_PATH = "/etc/nspawn-runner/config.toml";

type Values = Readonly<Record<string, unknown>>;

/**
 * The configuration: `--config`, else `$NSPAWN_RUNNER_CONFIG`, else the standard file, which need not exist.
 *
 * @param host The outside.
 * @param path What `--config` named.
 * @returns Every setting, standard where the file is silent.
 * @throws {Failure} where the file is missing though it was named, or holds what it may not.
 */
export async function loadConfig(host: Host, path: string | undefined): Promise<Config> {
  const named = path ?? (host.env("NSPAWN_RUNNER_CONFIG") || undefined);
  const file = named ?? STANDARD_PATH;
  const text = await readText(host, file);
  if (text === null && named !== undefined) {
    throw refused(
      `Cannot read configuration ${file}: no such file`,
      `Make it, or leave out ${path === undefined ? "$NSPAWN_RUNNER_CONFIG" : "--config"}`,
    );
  }
  const values = text === null ? {} : await checkedValues(text, file, "config");
  const standard = Object.fromEntries(
    FIELDS.filter(({ where }) => where !== "definition")
      .map(({ key, standard, check }) => [key, standard && check(standard)]),
  );
  return nested({ ...standard, ...values }) as unknown as Config;
}

/**
 * A definition, which may hold what a machine's settings are, and how its chroot is made.
 *
 * @param text The file's content.
 * @param path The file, for messages.
 * @returns What it says, and nothing where it is silent.
 * @throws {Failure} where it holds what it may not.
 */
export async function parseDefinition(text: string, path: string): Promise<Definition> {
  const values = await checkedValues(text, path, "definition");
  const origins = ["suite", "source", "extends"].filter((key) => key in values);
  if (origins.length > 1) {
    throw refused(`Cannot use ${path}: ${origins.join(" and ")} exclude each other`, "Keep one");
  }
  const isMaking = (key: string) =>
    FIELDS.some((field) => field.key === key && field.where === "definition");
  const part = (wanted: boolean) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => isMaking(key) === wanted));
  return {
    build: part(true) as Definition["build"],
    machine: nested(part(false)) as Definition["machine"],
  };
}

/** Variables of a playbook that mean what a setting means. */
const VARIABLES: Readonly<Record<string, string>> = {
  nspawn_runner_mirror: "mirror",
  nspawn_runner_cpu_weight: "limits.cpu_weight",
  nspawn_runner_memory_high: "limits.memory_high",
  nspawn_runner_memory_max: "limits.memory_max",
  nspawn_runner_seccomp: "seccomp",
};

/**
 * What a playbook's variables set for the machines of its chroot.
 *
 * @param variables Plain values, as the text that stands there.
 * @param path The playbook, for messages.
 * @returns Settings.
 * @throws {Failure} where a variable holds what its setting may not.
 */
export function settingsOfVariables(
  variables: Readonly<Record<string, string>>,
  path: string,
): OwnSettings {
  const values: Record<string, unknown> = {};
  for (const [variable, key] of Object.entries(VARIABLES)) {
    const text = variables[variable];
    if (text === undefined) continue;
    const field = FIELDS.find((field) => field.key === key)!;
    const checked = field.check(scalar(text));
    if (checked === undefined) {
      throw refused(`Cannot use ${path}: ${variable} must be ${field.allowed}`);
    }
    values[key] = checked;
  }
  return nested(values) as OwnSettings;
}

/** YAML's plain scalars, as far as settings have them. */
function scalar(text: string): string | number | boolean {
  if (/^(?:true|yes|on)$/i.test(text)) return true;
  if (/^(?:false|no|off)$/i.test(text)) return false;
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

/**
 * The settings of a chroot's machines.
 *
 * @param config What holds for all.
 * @param own What differs for this one, best first.
 * @returns The first word on each, else the configuration's.
 */
export function settingsFor(config: Config, ...own: readonly OwnSettings[]): MachineSettings {
  return own.reduceRight<MachineSettings>(
    (settings, { limits, ...more }) => ({
      ...settings,
      ...more,
      limits: { ...settings.limits, ...limits },
    }),
    config,
  );
}

async function readText(host: Host, file: string): Promise<string | null> {
  try {
    return await host.files.read(file);
  } catch (error) {
    throw refused(`Cannot read configuration ${file}: ${messageOf(error)}`);
  }
}

/** Checked values by dotted path. */
async function checkedValues(
  text: string,
  file: string,
  where: "config" | "definition",
): Promise<Values> {
  const fields = FIELDS.filter((field) => field.where === "both" || field.where === where);
  const values: Record<string, unknown> = {};
  for (const [key, value] of leaves(await parseToml(text, file))) {
    values[key] = checkedValue(fieldOf(fields, key, file), value, file);
  }
  return values;
}

async function parseToml(text: string, file: string): Promise<Values> {
  const { parse } = await import("smol-toml");
  try {
    return parse(text);
  } catch (error) {
    throw refused(`Cannot read ${file}: ${messageOf(error).trim()}`, "It must be TOML 1.0");
  }
}

/** Every value with its dotted path; a table counts by what is in it. */
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
  return FIELDS.some(({ key }) => key.startsWith(`${dotted}.`));
}

function fieldOf(fields: readonly Field[], key: string, file: string): Field {
  const field = fields.find((field) => field.key === key);
  if (field !== undefined) return field;
  if (isPrefix(key)) throw refused(`Cannot use ${file}: ${key} must be a table`, `Write [${key}]`);
  throw refused(`Cannot use ${file}: unknown key ${key}`, keyHint(fields, key));
}

function keyHint(fields: readonly Field[], key: string): string {
  const elsewhere = FIELDS.find((field) => field.key === key)?.where;
  if (elsewhere === "config") return "It stands in the configuration alone, config.toml";
  if (elsewhere === "definition") return "It stands in the definition of a chroot alone";
  const keys = fields.map((field) => field.key);
  const near = nearest(key, keys);
  return near === undefined ? `Known keys: ${keys.join(", ")}` : `Did you mean ${near}?`;
}

function checkedValue(field: Field, value: unknown, file: string): Value {
  const checked = field.check(value);
  if (checked !== undefined) return checked;
  throw refused(`Cannot use ${file}: ${field.key} must be ${field.allowed}`);
}

/** Values by key, those of `limits.x` in a table of their own. */
function nested(values: Values): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    const [head = "", tail] = path.split(".");
    if (tail === undefined) result[head] = value;
    else result[head] = { ...(result[head] as Values | undefined), [tail]: value };
  }
  return result;
}
