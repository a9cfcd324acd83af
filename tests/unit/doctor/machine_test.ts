/** What the doctor makes of what a machine shows. */

import assert from "node:assert/strict";
import type { State } from "../../../src/doctor/finding.ts";
import { examineMachine } from "../../../src/doctor/machine.ts";
import { findingOf, PROBES, runnable } from "../../../src/doctor/probes.ts";
import { denoProcesses } from "../../../src/host/processes.ts";
import { type Answer, recordingHost } from "../recording_host.ts";

/** A topic, what the machine and the host print, and what that is. */
const SHOWN: readonly (readonly [string, string | undefined, string, State])[] = [
  ["git", "git version 2.39.5", "", "ok"],
  ["git", "sh: 1: git: not found", "", "broken"],
  ["git", undefined, "", "broken"],
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
  ["read-only binds", "stay so", "", "ok"],
  ["read-only binds", "can be written", "", "weak"],
  ["read-only binds", "unknown there is no mount to try it with", "", "unknown"],
  ["system calls", "refused", "pass", "ok"],
  ["system calls", "refused", "refused", "unknown"],
  ["system calls", "pass", "pass", "weak"],
  ["system calls", "pass", "refused", "weak"],
  ["system calls", "unknown there is no perl and no python3 to try it with", "pass", "unknown"],
];

for (const [topic, inside, outside, expected] of SHOWN) {
  Deno.test(`${topic} is ${expected} where the machine shows ${inside}, and the host ${outside}`, () => {
    const probe = PROBES.find((probe) => probe.topic === topic)!;
    const finding = findingOf(probe, inside, outside);
    assert.equal(finding.state, expected);
    assert.equal(finding.fix !== null, expected === "weak" || expected === "broken");
    assert.doesNotMatch(finding.found, /^unknown|undefined/);
  });
}

Deno.test("every look can turn out well and badly", () => {
  for (const { topic } of PROBES) {
    const states = SHOWN.filter(([of]) => of === topic).map(([, , , state]) => state);
    assert.ok(states.includes("ok") && states.some((state) => /weak|broken/.test(state)), topic);
  }
});

/** Runs lines as the shell of a machine that has no programs at all. */
async function bare(lines: string): Promise<string> {
  const { host } = recordingHost();
  const argv = ["/bin/sh", "-c", runnable(lines)] as const;
  const { stdout } = await denoProcesses(host.log).capture(argv, { env: { PATH: "/nonexistent" } });
  return stdout.trim();
}

Deno.test("an image without the programs to try it with proves nothing", async () => {
  for (const topic of ["network", "metadata", "kernel", "disks", "read-only binds"]) {
    const { inside, ...probe } = PROBES.find((probe) => probe.topic === topic)!;
    const said = await bare(`outside='254 0'\n${inside}`);
    assert.match(said, /^unknown there is no \w+ to try it with$/, topic);
    assert.equal(findingOf({ ...probe, inside }, said, "").state, "unknown", topic);
  }
});

async function examine(answer: (argv: readonly string[]) => Answer | void) {
  const { host, commands } = recordingHost({ answer });
  const findings = await examineMachine(host, ["nspawn-runner"], "bookworm");
  assert.equal(commands().at(-1), "nspawn-runner cleanup --id doctor-42");
  return findings.map(({ topic, state, found, fix }) => [topic, state, found, fix]);
}

Deno.test("examineMachine() says why a machine does not start, and what mends it", async () => {
  const failing = (stderr: string) => ({ 1: word }: readonly string[]) =>
    word === "prepare" ? { code: 2, stderr } : undefined;
  assert.deepEqual(
    await examine(failing("Image x (/x)\nnspawn-runner: Cannot: why\nmore\nDo this\n")),
    [["machine", "broken", "Cannot: why", "Do this"]],
  );
  assert.deepEqual(await examine(failing("nspawn-runner: Cannot: why\n")), [
    ["machine", "broken", "Cannot: why", "As it says"],
  ]);
});

Deno.test("examineMachine() hands to the machine what the host shows, however loud it is", async () => {
  const scripts: string[] = [];
  const findings = await examine((argv) => {
    const [program, word, script] = argv;
    if (program === "sh") return { stdout: argv[2]!.includes("partitions") ? "254 0\n" : "" };
    if (word === "prepare") return { stderr: "A step\nStorage overlay, plain\nMachine ready\n" };
    if (word !== "run") return;
    scripts.push(Deno.readTextFileSync(script!));
    return { stdout: "git version 2\n==== nspawn-runner doctor ====\n" };
  });
  assert.match(scripts[0]!, /^outside='254 0'$/m);
  assert.deepEqual(findings.slice(0, 3).map(([topic, state, found]) => [topic, state, found]), [
    ["machine", "ok", "Storage overlay, plain"],
    ["inside: git", "ok", "git version 2"],
    ["inside: user ids", "broken", "no answer"],
  ]);
  assert.equal(findings.length, PROBES.length + 1);
});
