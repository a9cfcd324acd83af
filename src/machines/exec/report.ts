/** Reads what the stage server of a machine reports about a stage. */

import type { Ending } from "../../ending.ts";
import type { Host } from "../../host/host.ts";
import { SERVER_READY } from "../record/channel.ts";
import type { StageRun } from "./script.ts";

/** How far a stage is: `waiting` until its script begins, `running`, and how it ended. */
export type Progress = "waiting" | "running" | Ending;

/** Empties the report. May be called only while no stage runs. */
export function clearReport(host: Host, { paths }: StageRun): Promise<void> {
  return host.files.write(paths.result, "");
}

/** Returns how far a stage is. */
export async function readProgress(host: Host, { paths, nonce }: StageRun): Promise<Progress> {
  return parseReport(await host.files.readEnd(paths.result, MAX_REPORT_SIZE) ?? "", nonce);
}

/** Bytes of the report that count: it has the lines of one stage, but a job may write more. */
const MAX_REPORT_SIZE = 4096;

/** Returns how far a stage is by the lines with its nonce. */
export function parseReport(report: string, nonce: string): Progress {
  const lines = report.split("\n").slice(0, -1);
  for (const line of lines) {
    const [, of, code] = line.match(/^([0-9a-f]+) (\d{1,3})$/) ?? [];
    if (of === nonce && Number(code) < 256) return { kind: "exited", code: Number(code) };
  }
  const start = lines.indexOf(`${nonce} started`);
  if (start === -1) return "waiting";
  // The machine's systemd started the server anew: the script ended with the one before.
  return lines.includes(SERVER_READY, start) ? KILLED : "running";
}

/** The ending of a stage that SIGKILL ended together with its server. */
export const KILLED: Ending = { kind: "signalled", signal: 9 };
