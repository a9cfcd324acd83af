/** What is known of the making of a chroot. */

import type { Host } from "../host/host.ts";
import type { ChrootName } from "./name.ts";
import { chrootPlaces, recordFolder } from "./places.ts";

/** One making. */
export interface ChrootRecord {
  readonly version: 1;
  readonly suite: string;
  /** Bytes on disk when it was made; null where they could not be counted. */
  readonly size: number | null;
  /** When it was made or brought up to date, as ISO 8601. */
  readonly made: string;
}

/**
 * Records a making.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @param record What is recorded.
 */
export async function writeRecord(
  host: Host,
  store: string,
  name: ChrootName,
  record: ChrootRecord,
): Promise<void> {
  await host.files.makeDirectory(recordFolder(store), 0o755);
  const text = JSON.stringify(record, null, 2) + "\n";
  await host.files.replace(chrootPlaces(store, name).record, text, 0o644); // anybody may list chroots
}

/**
 * What was recorded.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns Null where nothing is known: another program may have made it.
 */
export async function readRecord(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<ChrootRecord | null> {
  try {
    const record = JSON.parse(await host.files.read(chrootPlaces(store, name).record) ?? "null");
    return record?.version === 1 && typeof record.suite === "string" ? record : null;
  } catch {
    return null; // a damaged record says nothing, and is no reason to fail
  }
}
