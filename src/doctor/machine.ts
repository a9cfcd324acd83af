/** Checks from inside a machine whether it keeps what is promised of machines. */

import type { Failure } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { quote } from "../text/quote.ts";
import { broken, type Finding, ok } from "./finding.ts";
import { asProgram, findingFrom, type Probe, PROBES } from "./probes.ts";

/** A line that separates the probes' answers; no answer is equal to it. */
const SEPARATOR = "==== nspawn-runner doctor ====";

/** A machine that was started as the machine of a job. */
export interface CheckedMachine {
  /** Its storage, limits and network, in one line. */
  readonly description: string;
  /** Runs a script as a job's script, and returns what it printed to stdout. */
  readonly capture: (script: string) => Promise<string>;
}

/** Runs all probes in a machine. */
export async function checkMachine(host: Host, machine: CheckedMachine): Promise<Finding[]> {
  const outside = await Promise.all(PROBES.map((probe) => runOutside(host, probe)));
  const stdout = await machine.capture(scriptOf(outside));
  const inside = stdout.split(`${SEPARATOR}\n`).slice(0, -1).map(firstLine);
  return [
    ok("machine", machine.description),
    ...PROBES.map((probe, index) => findingFrom(probe, inside[index], outside[index]!)),
  ];
}

/** Returns the finding for a machine that did not start. */
export function notStarted({ message, hint }: Failure): Finding {
  return broken("machine", firstLine(message), hint ?? "Run doctor again with --debug");
}

async function runOutside(host: Host, { outside }: Probe): Promise<string> {
  if (outside === undefined) return "";
  return firstLine((await host.processes.capture(["sh", "-c", asProgram(outside)])).stdout);
}

function scriptOf(outside: readonly string[]): string {
  const probes = PROBES.map(({ inside }, index) =>
    `outside=${quote(outside[index]!)}\n${asProgram(inside)}echo '${SEPARATOR}'\n`
  );
  return `#!/bin/sh\n${probes.join("")}`;
}

function firstLine(text: string): string {
  return text.split("\n")[0]!.trim();
}
