/** One setting of the configuration or of a definition. */

import { DISK } from "./checks.ts";
import type { ConfiguredService } from "./configured_service.ts";

/** A checked value. */
export type Value =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly ConfiguredService[]
  | Readonly<Record<string, string>>;

/** One setting. */
export interface Setting {
  /** Dotted: `limits.memory_max`. */
  readonly key: string;
  /** The files that may hold it: `config.toml`, definitions of chroots, or both. */
  readonly where: "both" | "config" | "definition";
  /** As an administrator would write it; undefined for none. */
  readonly default: Value | undefined;
  /** The allowed values, for messages and the documentation, which has its meaning as well. */
  readonly allowed: string;
  /** Returns the checked value, or undefined for a value that is not allowed. */
  readonly check: (value: unknown) => Value | undefined;
}

/** Allowed values that several settings have. */
export const PATH = "an absolute path of letters, digits and . _ @ + = ~ -";
export const BYTES = "bytes with an optional K, M, G or T";
export const FLAG = "true or false";
export const WEIGHT = "a whole number from 1 to 10000";
export const QUOTA = 'a share of one CPU like "150%", or "infinity"';
export const TASKS = 'a whole number, a share like "10%", or "infinity"';
export const DISK_LIMIT = `${DISK}, or "infinity"`;
