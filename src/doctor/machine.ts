/** Starts a machine as a job gets it, and looks from inside at what is promised of it. */

import type { Argv, Captured, Host } from "../host/host.ts";
import { quote } from "../text/quote.ts";
import { broken, type Finding, ok } from "./finding.ts";
import { findingOf, type Probe, PROBES, runnable } from "./probes.ts";

/** A line between the answers, which no answer has. */
const MARK = "==== nspawn-runner doctor ====";

/**
 * Starts a machine and looks around in it; it is gone when this returns.
 *
 * @param host The outside.
 * @param driver The words that call this program.
 * @param image As a job names it.
 * @returns What was found: that it did not start, or a finding for each look.
 */
export async function examineMachine(host: Host, driver: Argv, image: string): Promise<Finding[]> {
  const id = `doctor-${host.pid()}`;
  const call = (...words: string[]) => host.processes.capture([...driver, ...words, "--id", id]);
  const folder = await host.files.temporaryDirectory("doctor");
  try {
    const prepared = await call("prepare", image);
    if (prepared.code !== 0) return [notStarted(prepared)];
    const outside = await Promise.all(PROBES.map((probe) => lookOutside(host, probe)));
    const script = `${folder}/script`;
    await host.files.write(script, scriptOf(outside));
    const { stdout } = await call("run", script);
    const inside = stdout.split(`${MARK}\n`).slice(0, -1).map(firstLine);
    const kind = prepared.stderr.match(/^Storage .*$/m)?.[0] ?? "";
    return [
      ok("machine", kind),
      ...PROBES.map((probe, index) => findingOf(probe, inside[index], outside[index]!)),
    ];
  } finally {
    await call("cleanup");
    await host.files.removeTree(folder);
  }
}

async function lookOutside(host: Host, { outside }: Probe): Promise<string> {
  if (outside === undefined) return "";
  return firstLine((await host.processes.capture(["sh", "-c", runnable(outside)])).stdout);
}

function scriptOf(outside: readonly string[]): string {
  const looks = PROBES.map(({ inside }, index) =>
    `outside=${quote(outside[index]!)}\n${runnable(inside)}echo '${MARK}'\n`
  );
  return `#!/bin/sh\n${looks.join("")}`;
}

/** The program says first what failed, and last what to do about it. */
function notStarted({ stderr }: Captured): Finding {
  const said = stderr.match(/^nspawn-runner: ([^]*)$/m)?.[1] ?? stderr;
  const lines = said.trim().split("\n");
  return broken("machine", lines[0]!, lines.length > 1 ? lines.at(-1)! : "As it says");
}

function firstLine(text: string): string {
  return text.split("\n")[0]!.trim();
}
