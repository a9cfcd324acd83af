import assert from "node:assert/strict";
import type { State } from "../../../src/doctor/finding.ts";
import { asProgram, findingFrom, PROBES } from "../../../src/doctor/probes.ts";
import { denoProcesses } from "../../../src/host/processes.ts";
import { recordingHost } from "../recording_host.ts";

/** A topic, what the machine and the host print, and the state of the finding. */
const SHOWN: readonly (readonly [string, string | undefined, string, State])[] = [
  ["git", "git version 2.39.5", "", "ok"],
  ["git", "sh: 1: git: not found", "", "broken"],
  ["git", undefined, "", "broken"],
  ["user ids", "map 0 1073741824 1048576", "", "ok"],
  ["user ids", "map 0 1610612736 65536", "", "ok"],
  ["user ids", "map 0 0 4294967295", "", "weak"],
  ["network", "net:[2] lo eth0", "net:[1] net:[1]", "ok"],
  ["network", "net:[1] lo eth0", "net:[1] net:[1]", "weak"],
  ["network", "net:[1] lo eth0", "net:[2] net:[1]", "weak"],
  ["network", "net:[2] lo eth0", "", "unknown"],
  ["network", "unknown there is no readlink to try it with", "net:[1] net:[1]", "unknown"],
  ["metadata", "reached", "reached", "weak"],
  ["metadata", "reached", "nothing", "weak"],
  ["metadata", "nothing", "reached", "ok"],
  ["metadata", "nothing", "nothing", "unknown"],
  ["metadata", "nothing", "unknown there is no bash to try it with", "unknown"],
  ["metadata", "unknown there is no bash to try it with", "reached", "unknown"],
  ["kernel", "out of reach", "", "ok"],
  ["kernel", "/proc/sys/kernel/core_pattern can be written", "", "weak"],
  ["kernel", "unknown scripts are of user 33; root could do more", "", "unknown"],
  ["disks", "out of reach", "254 0", "ok"],
  ["disks", "disk 254 0 can be opened", "254 0", "weak"],
  ["disks", "unknown the host has no disk to try it with", "", "unknown"],
  ["read-only binds", "stay read-only", "", "ok"],
  ["read-only binds", "can be written", "", "weak"],
  ["read-only binds", "unknown there is no mount to try it with", "", "unknown"],
  ["system calls", "refused", "pass", "ok"],
  ["system calls", "refused", "refused", "unknown"],
  ["system calls", "pass", "pass", "weak"],
  ["system calls", "pass", "refused", "weak"],
  ["system calls", "unknown there is no perl and no python3 to try it with", "pass", "unknown"],
];

for (const [topic, inside, outside, expected] of SHOWN) {
  Deno.test(`findingFrom() is ${expected} for ${topic}: the machine prints ${inside}, the host ${outside}`, () => {
    const probe = PROBES.find((probe) => probe.topic === topic)!;
    const finding = findingFrom(probe, inside, outside);
    assert.equal(finding.state, expected);
    assert.equal(finding.fix !== null, expected === "weak" || expected === "broken");
    assert.doesNotMatch(finding.found, /^unknown|undefined/);
  });
}

Deno.test("PROBES can each find a promise kept and not kept", () => {
  for (const { topic } of PROBES) {
    const states = SHOWN.filter(([of]) => of === topic).map(([, , , state]) => state);
    assert.ok(states.includes("ok") && states.some((state) => /weak|broken/.test(state)), topic);
  }
});

/** Runs the lines of a probe where no program is found. */
async function withoutPrograms(lines: string): Promise<string> {
  const { host } = recordingHost();
  const argv = ["/bin/sh", "-c", asProgram(lines)] as const;
  const { stdout } = await denoProcesses(host.log).capture(argv, { env: { PATH: "/nonexistent" } });
  return stdout.trim();
}

Deno.test("PROBES prove nothing in an image without the programs that they need", async () => {
  for (const topic of ["network", "metadata", "kernel", "disks", "read-only binds"]) {
    const { machineScript, ...probe } = PROBES.find((probe) => probe.topic === topic)!;
    const answer = await withoutPrograms(`host_line='254 0'\n${machineScript}`);
    assert.match(answer, /^unknown there is no \w+ to try it with$/, topic);
    assert.equal(findingFrom({ ...probe, machineScript }, answer, "").state, "unknown", topic);
  }
});
