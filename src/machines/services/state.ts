/** Reads the report of a service's machine. A service can write anything to it: only these lines count, and none is executed. */

import type { Host } from "../../host/host.ts";
import { SERVICE_HEALTHY, SERVICE_REPORTS, SERVICE_STARTED } from "../record/channel.ts";
import type { MachinePaths } from "../record/paths.ts";
import { printable } from "../../text/printable.ts";

/** How far the program of a service is. */
export interface ServiceState {
  /** Why it could not start; null where it could. */
  readonly failure: string | null;
  readonly hasStarted: boolean;
  /** Whether the test of its health succeeded. */
  readonly isHealthy: boolean;
  /** Its exit code; null while it runs. */
  readonly code: number | null;
}

/** The state of a service that reports nothing. */
export const NO_STATE: ServiceState = {
  failure: null,
  hasStarted: false,
  isHealthy: false,
  code: null,
};

/** Bytes of the report that are read. */
const MAX_REPORT = 4096;

/** Reads the report of a service whose machine has such a program. */
export async function readServiceState(
  host: Host,
  { result }: Pick<MachinePaths, "result">,
): Promise<ServiceState> {
  return parseServiceState(await host.files.readEnd(result, MAX_REPORT) ?? "");
}

/** Parses the report of a service. */
export function parseServiceState(report: string): ServiceState {
  const lines = report.split("\n");
  const failure = textAfter(lines, SERVICE_REPORTS.failed);
  const exited = textAfter(lines, SERVICE_REPORTS.exited);
  const code = /^\d{1,3}$/.test(exited ?? "") ? Number(exited) : null;
  return {
    failure: failure === null ? null : printable(failure),
    hasStarted: lines.includes(SERVICE_STARTED),
    isHealthy: lines.includes(SERVICE_HEALTHY),
    code,
  };
}

function textAfter(lines: readonly string[], word: string): string | null {
  const line = lines.findLast((line) => line.startsWith(`${word} `));
  return line?.slice(word.length + 1) ?? null;
}
