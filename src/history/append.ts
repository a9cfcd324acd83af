/** Appends records to the history. */

import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { dayFile, dayOf, historyFolder } from "./folder.ts";
import type { JobRecord } from "./record.ts";

/**
 * Appends a record: one line, by one call of write(2). The line break before it ends a line that a power cut, a kill or a full
 * disk left incomplete. A failure is only logged: it must not keep a machine from being ended.
 */
export async function appendRecord(host: Host, store: string, record: JobRecord): Promise<void> {
  try {
    const path = dayFile(store, dayOf(record.ended));
    const text = `\n${JSON.stringify(record)}\n`;
    if (await host.files.append(path, text, 0o600)) return;
    await host.files.makeDirectory(historyFolder(store));
    await host.files.append(path, text, 0o600);
  } catch (error) {
    host.log.step(`Cannot record job ${record.job}: ${messageOf(error)}`);
  }
}
