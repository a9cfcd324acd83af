/** The format of an exported chroot: a tar file with these members, compressed by zstd. */

import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import { refused } from "../../failure.ts";
import { type GenerationRecord, isPrintableOrNull, parseRecord } from "../generations/record.ts";

/** The members, in their order; definition and playbook are optional. */
export const MEMBERS = {
  header: "nspawn-runner.json",
  definition: "definition.toml",
  playbook: "playbook.yaml",
  root: "root.tar",
  /** The checksums of all other members, in the format of sha256sum(1). */
  sums: "SHA256SUMS",
} as const;

/** The first member: which chroot this is. */
export interface ExportHeader {
  readonly format: 1;
  readonly name: ChrootName;
  readonly record: GenerationRecord | null;
  /** As in records; a tree without a record can be a stranger's, too. */
  readonly stranger: string | null;
}

/** tar's option for zstd on all processors. */
export const ZSTD = "--use-compress-program=zstd -T0";

/**
 * Parses and checks the header of a file.
 *
 * @param text The member; null where it is missing.
 * @param file The file's path, for messages.
 * @throws {Failure} where chroot-export did not write it.
 */
export function parseHeader(text: string | null, file: string): ExportHeader {
  try {
    const header = JSON.parse(text ?? "");
    if (header.format === 1 && isChrootName(header.name)) {
      const record = parseRecord(header.record);
      const { stranger = record?.stranger ?? null } = header;
      if (isPrintableOrNull(stranger)) return { format: 1, name: header.name, record, stranger };
    }
  } catch {
    // Not JSON: refused like any other content.
  }
  throw refused(
    `Cannot import ${file}: it is not an export of nspawn-runner`,
    "Make one: nspawn-runner chroot-export IMAGE FILE",
  );
}
