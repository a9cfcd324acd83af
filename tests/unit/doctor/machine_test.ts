import assert from "node:assert/strict";
import { checkMachine, notStarted } from "../../../src/doctor/machine.ts";
import { PROBES } from "../../../src/doctor/probes.ts";
import { hostFailure } from "../../../src/failure.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("notStarted() gives the reason and the hint of the failure", () => {
  const finding = { topic: "machine", state: "broken", found: "Cannot: why" };
  assert.deepEqual(notStarted(hostFailure("Cannot: why\nmore", "Do this")), {
    ...finding,
    fix: "Do this",
  });
  assert.deepEqual(notStarted(hostFailure("Cannot: why")), {
    ...finding,
    fix: "Run doctor again with --debug",
  });
});

Deno.test("checkMachine() passes the host's answers to the machine, and finds what is missing", async () => {
  const { host } = recordingHost({
    answer: ({ 2: script = "" }) => ({ stdout: script.includes("partitions") ? "254 0\n" : "" }),
  });
  const scripts: string[] = [];
  const findings = await checkMachine(host, {
    description: "Storage overlay, plain",
    capture(script) {
      scripts.push(script);
      return Promise.resolve("git version 2\n==== nspawn-runner doctor ====\n");
    },
  });
  assert.match(scripts[0]!, /^host_line='254 0'$/m);
  assert.deepEqual(findings.slice(0, 3).map(({ topic, state, found }) => [topic, state, found]), [
    ["machine", "ok", "Storage overlay, plain"],
    ["inside: git", "ok", "git version 2"],
    ["inside: user ids", "broken", "no answer"],
  ]);
  assert.equal(findings.length, PROBES.length + 1);
});
