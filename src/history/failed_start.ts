/** Records a job whose machine could not be started. */

import { Failure, messageOf } from "../failure.ts";
import type { Job } from "../gitlab/job.ts";
import { withoutSecrets } from "../gitlab/secrets.ts";
import type { Host } from "../host/host.ts";
import { describeJob } from "../machines/record/description.ts";
import type { MachineName } from "../machines/record/name.ts";
import { appendRecord } from "./append.ts";
import { recordOfFailure } from "./compose_failure.ts";
import { describeHost } from "./describe_host.ts";
import { isOwnStore } from "./own_store.ts";
import { addNote, type FailedStart } from "./notes.ts";
import type { PrepareNotes } from "./prepare_notes.ts";

/** A start that failed. */
export interface FailedCall {
  readonly machine: {
    readonly id: string;
    readonly name: MachineName;
    readonly server: string | undefined;
  };
  /** Null by hand. */
  readonly job: Job | null;
  /** The image as the job names it; null where it names none. */
  readonly image: string | null;
  readonly error: unknown;
  readonly isCancelled: boolean;
}

/** Records it, unless its machine is left: then the end of the machine does. */
export async function recordFailedStart(
  host: Host,
  store: string,
  failed: FailedCall,
  notes: Pick<PrepareNotes, "all" | "areKept">,
): Promise<void> {
  const { machine, job, image } = failed;
  if (!await isOwnStore(host, store)) return;
  const note = await noteOf(host, failed);
  if (await notes.areKept()) return await addNote(host, machine.name, note);
  const described = {
    ...{ job: machine.id, machine: machine.name, server: machine.server ?? null },
    ...describeJob(job, image === null ? null : await recordable(host, image)),
    host: await describeHost(host),
  };
  await appendRecord(host, store, recordOfFailure(described, [...notes.all(), note]));
}

async function noteOf(
  host: Host,
  { error, isCancelled }: FailedCall,
): Promise<FailedStart> {
  const isRefused = error instanceof Failure && error.kind !== "host";
  const hint = error instanceof Failure ? error.hint : undefined;
  return {
    at: host.clock.now(),
    note: "failed",
    outcome: isCancelled ? "cancelled" : isRefused ? "refused" : "host",
    message: await recordable(host, messageOf(error)),
    ...(hint === undefined ? {} : { hint: await recordable(host, hint) }),
  };
}

/**
 * Returns the first line of a text without the secrets of the job: further lines may quote the output of a service, or of a
 * registry. A part of a secret could not be found.
 */
async function recordable(host: Host, text: string): Promise<string> {
  const [line = ""] = (await withoutSecrets(host, text)).split("\n", 1);
  return line.replace(/\. Its last output:$/, "").slice(0, MAX_LENGTH);
}

/** Characters: a record stays short. */
const MAX_LENGTH = 500;
