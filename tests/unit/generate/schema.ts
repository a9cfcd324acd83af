/** JSON Schemas of the files of settings, from the table of settings. */

import { SERVICES } from "../../../src/config/configured_service.ts";
import { POLICIES } from "../../../src/config/checks.ts";
import { SETTINGS } from "../../../src/config/schema.ts";
import type { Setting } from "../../../src/config/setting.ts";
import { settingMeanings } from "./meanings.ts";

/** The part of JSON Schema that is used. */
export interface Schema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: "object" | "array" | "string" | "integer" | "boolean";
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly not?: Schema;
}

const STRING: Schema = { type: "string" };
const STRINGS: Schema = { type: "array", items: STRING };

/** A number, or text that begins with one, or one of these words. */
const amount = (units: string, ...words: readonly string[]): Schema => ({
  anyOf: [
    { type: "integer", minimum: 1 },
    {
      type: "string",
      pattern: `^([1-9][0-9]*(${units})?${words.map((word) => `|${word}`).join("")})$`,
    },
  ],
});

const SERVICE: Schema = {
  type: "object",
  properties: {
    name: STRING,
    alias: STRING,
    entrypoint: STRINGS,
    command: STRINGS,
    variables: { type: "object", additionalProperties: STRING },
  },
  required: ["name"],
  additionalProperties: false,
};

/** Schemas by the beginnings of what settings allow; the first that matches counts. */
const SHAPES: readonly (readonly [RegExp, (found: readonly string[]) => Schema])[] = [
  [/^true or false$/, () => ({ type: "boolean" })],
  [/^a whole number from (\d+) to (\d+)$/, ([, least, most]) => ({
    type: "integer",
    minimum: Number(least),
    maximum: Number(most),
  })],
  [new RegExp(`^${POLICIES}$`), () => {
    const policy = choice(POLICIES);
    return { anyOf: [policy, { type: "array", items: policy }] };
  }],
  [/^"[a-z]+"(?:, "[a-z]+")* or "[a-z]+"$/, ([text]) => choice(text!)],
  [/^seconds.*; negative/, () => ({
    anyOf: [{ type: "integer" }, { type: "string", pattern: "^[1-9][0-9]*(s|min|h|d)?$" }],
  })],
  [/^seconds/, () => amount("s|min|h|d")],
  [/^0, bytes/, () => {
    const { anyOf = [] } = amount("[KMGT]|%", "infinity", "0");
    return { anyOf: [{ type: "integer", minimum: 0 }, ...anyOf.slice(1)] };
  }],
  [/(?:^|in )bytes.*%/, () => amount("[KMGT]|%", "infinity")],
  [/(?:^|in )bytes.*infinity/, () => amount("[KMGT]", "infinity")],
  [/(?:^|in )bytes/, () => amount("[KMGT]")],
  [/^a whole number, a share/, () => amount("%", "infinity")],
  [/^a whole number$/, () => amount("")],
  [
    /^a share of one CPU.*infinity/,
    () => ({ type: "string", pattern: "^([1-9][0-9]*%|infinity)$" }),
  ],
  [/^a share of one CPU/, () => ({ type: "string", pattern: "^[1-9][0-9]*%$" })],
  [/^the name or number/, () => ({ anyOf: [{ type: "integer", minimum: 1 }, STRING] })],
  [/^an absolute path/, () => ({ type: "string", pattern: "^/" })],
  [new RegExp(`^${SERVICES}$`), () => ({ type: "array", items: SERVICE })],
  [/^a table/, () => ({ type: "object", additionalProperties: STRING })],
  [/^(?:a list|a program and its arguments)/, () => STRINGS],
  [/^(?:a|an|the) |^"tar:"/, () => STRING],
];

/** One of the words in quotes. */
function choice(allowed: string): Schema {
  return { type: "string", enum: [...allowed.matchAll(/"([^"]+)"/g)].map(([, word]) => word!) };
}

/** Returns the schema of a setting's value. */
export function valueSchema({ allowed }: Setting): Schema {
  for (const [shape, schema] of SHAPES) {
    const found = allowed.match(shape);
    if (found !== null) return schema(found);
  }
  throw new Error(`No schema is known for: ${allowed}`);
}

/** Returns the schema of config.toml, or of definitions. */
export function fileSchema(file: "config" | "definition"): Schema {
  const meanings = settingMeanings();
  const settings = SETTINGS.filter(({ where }) => where === "both" || where === file);
  const properties: Record<string, Schema> = {};
  for (const setting of settings) {
    const [table = "", name] = setting.key.split(".");
    const schema = described(setting, meanings.get(setting.key), file);
    if (name === undefined) properties[table] = schema;
    else properties[table] = withProperty(properties[table], name, schema);
  }
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: file === "config" ? "Configuration of nspawn-runner" : "Definition of a chroot",
    type: "object",
    properties,
    additionalProperties: false,
    ...(file === "config" ? {} : { not: { anyOf: ORIGINS } }),
  };
}

/** A definition has one of suite, source and extends at most. */
const ORIGINS: readonly Schema[] = [
  { required: ["suite", "source"] },
  { required: ["suite", "extends"] },
  { required: ["source", "extends"] },
];

/** The default of a definition is the value of the configuration. */
function described(setting: Setting, meaning: string | undefined, file: string): Schema {
  return {
    description: `${meaning}. Allowed: ${setting.allowed}.`,
    ...(setting.default === undefined || file !== "config" ? {} : { default: setting.default }),
    ...valueSchema(setting),
  };
}

function withProperty(table: Schema | undefined, name: string, schema: Schema): Schema {
  const properties = { ...table?.properties, [name]: schema };
  return { type: "object", properties, additionalProperties: false };
}
