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
  const hostLines = await Promise.all(PROBES.map((probe) => runOnHost(host, probe)));
  const stdout = await machine.capture(scriptOf(hostLines));
  const machineLines = stdout.split(`${SEPARATOR}\n`).slice(0, -1).map(firstLine);
  return [
    ok("machine", machine.description),
    ...PROBES.map((probe, index) => findingFrom(probe, machineLines[index], hostLines[index]!)),
  ];
}

/** Returns the finding for a machine that did not start. */
export function notStarted({ message, hint }: Failure): Finding {
  return broken("machine", firstLine(message), hint ?? "Run doctor again with --debug");
}

async function runOnHost(host: Host, { hostScript }: Probe): Promise<string> {
  if (hostScript === undefined) return "";
  return firstLine((await host.processes.capture(["sh", "-c", asProgram(hostScript)])).stdout);
}

function scriptOf(hostLines: readonly string[]): string {
  const probes = PROBES.map(({ machineScript }, index) =>
    `host_line=${quote(hostLines[index]!)}\n${asProgram(machineScript)}echo '${SEPARATOR}'\n`
  );
  return `#!/bin/sh\n${probes.join("")}`;
}

function firstLine(text: string): string {
  return text.split("\n")[0]!.trim();
}
