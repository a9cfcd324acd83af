import assert from "node:assert/strict";
import {
  hasSimpleQuotas,
  limitSubvolume,
  parseRemaining,
  remainingInSubvolume,
} from "../../../src/linux/btrfs_quota.ts";
import { recordingHost } from "../recording_host.ts";

/** Lines of several versions of btrfs-qgroup(8), and the remaining bytes. */
const LINES: readonly (readonly [string, number | null])[] = [
  ["1/257        52412416     52412416        52428800           none   <0 member qgroups>", 16384],
  [
    "1/257               0            0        52428800           none   <0 member qgroups>",
    52428800,
  ],
  ["1/257        52428801     52428801        52428800           none   m2", 0],
  ["1/257        52412416     52412416            none           none   <0 member qgroups>", null],
  ["0/257        52412416     52412416        52428800           none   m2", null],
  ["ERROR: can't list qgroups: quotas not enabled", null],
  ["", null],
];

for (const [line, left] of LINES) {
  Deno.test(`parseRemaining() of ${JSON.stringify(line)} is ${left}`, () => {
    assert.equal(parseRemaining(line), left);
  });
}

Deno.test("hasSimpleQuotas() is false for other modes, and where there is no answer", async () => {
  for (const [stdout, has] of [["squota\n", true], ["qgroup\n", false], ["", false]] as const) {
    const { host } = recordingHost({ answer: () => ({ stdout }) });
    assert.equal(await hasSimpleQuotas(host, "/store"), has);
  }
});

Deno.test("limitSubvolume() reports the error of btrfs(8), and passes arguments literally", async () => {
  const { host, processes } = recordingHost({ answer: () => ({ code: 1, stderr: "ERROR: no\n" }) });
  await assert.rejects(limitSubvolume(host, "/m/$(x)", 4096), {
    kind: "host",
    message: "Cannot limit subvolume /m/$(x): ERROR: no",
  });
  assert.deepEqual(processes[0]!.argv.slice(-2), ["/m/$(x)", "4096"]);
  assert.equal(await remainingInSubvolume(host, "/m/$(x)"), null);
});
