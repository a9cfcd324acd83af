/** A service that the administrator starts beside jobs: a table of `services`. */

import { isListOf } from "./checks.ts";
import { isJobImage } from "./image_reference.ts";

/** A service of the configuration or of a definition. */
export interface ConfiguredService {
  /** Its image, as a job would name it. */
  readonly name: string;
  /** Several stand between commas and spaces; empty for none. */
  readonly alias: string;
  /** Replaces the entrypoint of its image; empty for none. */
  readonly entrypoint: readonly string[];
  /** Replaces the command of its image; empty for none. */
  readonly command: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/** The values of {@linkcode services}, for messages. */
export const SERVICES =
  "a list of tables with name, and perhaps alias, entrypoint, command and variables";

/** Services that are started beside jobs; the list may be empty. */
export const services = (value: unknown) => {
  if (!Array.isArray(value)) return undefined;
  const checked: readonly ConfiguredService[] = value.flatMap((one) => serviceOf(one) ?? []);
  return checked.length === value.length ? checked : undefined;
};

/** The command of a service: a program and its arguments. */
export const command = (value: unknown) => isListOf(value, isWord) && value[0] ? value : undefined;

const ALIAS = /^[\w.-]*(?:[, ]+[\w.-]+)*$/;

function serviceOf(table: unknown): ConfiguredService | undefined {
  if (!isTable(table)) return undefined;
  const { name, alias = "", entrypoint = [], command = [], variables = {}, ...unknown } = table;
  return typeof name === "string" && isJobImage(name) && typeof alias === "string" &&
      ALIAS.test(alias) && isListOf(entrypoint, isWord) && isListOf(command, isWord) &&
      areVariables(variables) && Object.keys(unknown).length === 0
    ? { name, alias, entrypoint, command, variables: { ...variables } }
    : undefined;
}

function isWord(text: string): boolean {
  return !text.includes("\0");
}

function areVariables(value: unknown): value is Readonly<Record<string, string>> {
  return isTable(value) &&
    Object.entries(value).every(([name, text]) =>
      /^[A-Za-z_]\w*$/.test(name) && typeof text === "string" && isWord(text)
    );
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}
