/** What a chroot in one file is made of. */

import { refused } from "../../failure.ts";
import { type GenerationRecord, parseRecord } from "../generations/record.ts";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";

/** What is in such a file, in that order; definition and playbook may be missing. */
export const MEMBERS = {
  header: "nspawn-runner.json",
  definition: "definition.toml",
  playbook: "playbook.yaml",
  root: "root.tar",
  /** For all the others, as sha256sum(1) checks them. */
  sums: "SHA256SUMS",
} as const;

/** What a file says of itself. */
export interface ExportHeader {
  readonly format: 1;
  readonly name: ChrootName;
  readonly record: GenerationRecord | null;
}

/** How tar(1) is told to compress: with all processors. */
export const ZSTD = "--use-compress-program=zstd -T0";

/**
 * What a file says of itself.
 *
 * @param text The member that says it; null where it is not there.
 * @param file The file, for messages.
 * @returns That, checked.
 * @throws {Failure} where it is no file of ours.
 */
export function parseHeader(text: string | null, file: string): ExportHeader {
  try {
    const about = JSON.parse(text ?? "");
    if (about.format === 1 && isChrootName(about.name)) {
      return { format: 1, name: about.name, record: parseRecord(about.record) };
    }
  } catch {
    // The same as one that says something else.
  }
  throw refused(`Cannot import ${file}: it is no export of nspawn-runner`);
}
