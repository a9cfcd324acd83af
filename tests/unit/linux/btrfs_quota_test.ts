import assert from "node:assert/strict";
import {
  hasSimpleQuotas,
  leftOfSubvolume,
  limitSubvolume,
  parseGroup,
} from "../../../src/linux/btrfs_quota.ts";
import { recordingHost } from "../recording_host.ts";

/** Lines of btrfs-qgroup(8), each as one version prints it, and what is left. */
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
  Deno.test(`parseGroup() of ${JSON.stringify(line)} is ${left}`, () => {
    assert.equal(parseGroup(line), left);
  });
}

Deno.test("hasSimpleQuotas() takes no other mode for it, nor silence", async () => {
  for (const [stdout, has] of [["squota\n", true], ["qgroup\n", false], ["", false]] as const) {
    const { host } = recordingHost({ answer: () => ({ stdout }) });
    assert.equal(await hasSimpleQuotas(host, "/store"), has);
  }
});

Deno.test("limitSubvolume() says what btrfs said, and data are words of their own", async () => {
  const { host, processes } = recordingHost({ answer: () => ({ code: 1, stderr: "ERROR: no\n" }) });
  await assert.rejects(limitSubvolume(host, "/m/$(x)", 4096), {
    kind: "host",
    message: "Cannot limit subvolume /m/$(x): ERROR: no",
  });
  assert.deepEqual(processes[0]!.argv.slice(-2), ["/m/$(x)", "4096"]);
  assert.equal(await leftOfSubvolume(host, "/m/$(x)"), null);
});
