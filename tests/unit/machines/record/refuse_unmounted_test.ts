import assert from "node:assert/strict";
import { refuseUnmounted } from "../../../../src/machines/record/refuse_unmounted.ts";
import { recordingHost } from "../../recording_host.ts";

/** Mount points, the lines of fstab, and the mount point that is missing. */
const CASES: readonly (readonly [readonly string[], readonly string[], string | null])[] = [
  [["/"], ["/ci/store/.cache ext4 defaults"], "/ci/store/.cache"],
  [["/", "/ci/store/.cache"], ["/ci/store/.cache ext4 defaults"], null],
  [["/"], ["/ci/store/.cache ext4 noauto"], null],
  [["/"], ["/ci/store/.cache ext4 noauto", "/ci/store ext4 noauto"], "/ci/store"],
  [["/"], ["/ci/store/.cachex ext4 defaults"], null],
  [["/"], ["/ci/store/.cache ext4 noauto", "/ci ext4 defaults"], "/ci"],
];

for (const [points, lines, point] of CASES) {
  Deno.test(`refuseUnmounted() with ${lines.join(", ")} misses ${point} where ${points} are mounted`, async () => {
    const { host } = recordingHost();
    const fstab = lines.map((line) => `UUID=1 ${line} 0 2\n`).join("");
    const files = { ...host.files, read: () => Promise.resolve(fstab) };
    const mounts = points.map((point) => ({ point, type: "ext4" }));
    const refusal = refuseUnmounted({ ...host, files }, "/ci/store", mounts);
    if (point === null) return await refusal;
    await assert.rejects(refusal, {
      kind: "host",
      message: `Cannot use store /ci/store: ${point} of /etc/fstab is not mounted`,
      hint: new RegExp(`^Mount it: mount ${point}(?:$|;)`),
    });
  });
}
