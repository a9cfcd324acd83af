/** `@std/yaml/parse` over js-yaml: what this project uses of it, and no more. */

import { CORE_SCHEMA, FAILSAFE_SCHEMA, JSON_SCHEMA, loadAll, YAML11_SCHEMA } from "js-yaml";

const SCHEMAS = {
  failsafe: FAILSAFE_SCHEMA,
  json: JSON_SCHEMA,
  core: CORE_SCHEMA,
  default: YAML11_SCHEMA,
} as const;

/** Options that both parsers take in the same sense. */
export interface ParseOptions {
  /** Which scalars become something other than text: none with `failsafe`. */
  readonly schema?: keyof typeof SCHEMAS;
  /** Whether the last of two equal keys counts; they are an error otherwise. */
  readonly allowDuplicateKeys?: boolean;
}

/**
 * Reads one YAML document.
 *
 * @param content The text.
 * @param options How to read it.
 * @returns Its value, null where there is none.
 * @throws {Error} where it is no single YAML document.
 */
export function parse(content: string, options: ParseOptions = {}): unknown {
  const documents = loadAll(content, {
    schema: SCHEMAS[options.schema ?? "default"],
    json: options.allowDuplicateKeys ?? false,
  });
  if (documents.length > 1) {
    throw new SyntaxError("Found more than 1 document in the stream: expected a single document");
  }
  return documents[0] ?? null;
}
