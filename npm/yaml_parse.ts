/** `@std/yaml/parse` on networks without JSR, over js-yaml: the options that this project uses. */

import { CORE_SCHEMA, FAILSAFE_SCHEMA, JSON_SCHEMA, loadAll, YAML11_SCHEMA } from "js-yaml";

const SCHEMAS = {
  failsafe: FAILSAFE_SCHEMA,
  json: JSON_SCHEMA,
  core: CORE_SCHEMA,
  default: YAML11_SCHEMA,
} as const;

/** Options that mean the same to both parsers. */
export interface ParseOptions {
  /** Decides which scalars become something other than a string: none with `failsafe`. */
  readonly schema?: keyof typeof SCHEMAS;
  /** Whether of a repeated key the last value counts; otherwise it is an error. */
  readonly allowDuplicateKeys?: boolean;
}

/**
 * Parses one YAML document.
 *
 * @returns Its value; null for an empty document.
 * @throws {Error} for invalid YAML, or for more than one document.
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
