import assert from "node:assert/strict";
import { explainFailure } from "../../../../src/machines/report/explain.ts";
import { recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";

const MIB = 1024 ** 2;

/** What df says, bytes and files; what the job hears. */
const DISKS: readonly (readonly [number, number, RegExp | null])[] = [
  [
    0,
    99,
    /^Disk full: the machine may write 96 MiB\. The administrator can raise limits\.disk_max$/,
  ],
  [500_000, 99, /^Disk full: /],
  [20 * MIB, 0, /^Too many files: .* 96 MiB .* limits\.disk_max$/],
  [20 * MIB, 99, null],
];

for (const [bytes, files, line] of DISKS) {
  Deno.test(`explainFailure() of a limited disk with ${bytes} bytes and ${files} files left`, async () => {
    const { host } = recordingHost({
      answer: ([program]) =>
        program === "df" ? { stdout: `A B I\n${bytes} ${bytes} ${files} 999\n` } : {},
    });
    const lease = leaseOf("/nonexistent", "42", { diskMax: 96 * MIB });
    const { lines } = await explainFailure(host, lease, { kind: "exited", code: 1 }, 0, false);
    assert.equal(lines.length, line === null ? 0 : 1);
    if (line !== null) assert.match(lines[0]!, line);
  });
}

Deno.test("explainFailure() of a limited machine knows the host's disk, too, but on a tmpfs", async () => {
  for (const storage of ["overlay", "tmpfs"] as const) {
    const { host, processes } = recordingHost({
      answer: ([program]) =>
        program === "sh"
          ? { stdout: "0 1000000000 9 9\n" }
          : { stdout: "A B I\n99999999 99999999 9 99\n" },
    });
    const lease = leaseOf("/store", "42", { diskMax: 96 * MIB, storage });
    const { lines } = await explainFailure(host, lease, { kind: "exited", code: 1 }, 0, false);
    assert.deepEqual(
      lines.map((line) => line.split(". ")[0]),
      storage === "tmpfs" ? [] : [
        "Disk full: 0 KiB left in /store on the host",
      ],
    );
    assert.ok(processes.some(({ argv }) => argv[0] === "sh" && argv[4] === "/store"));
  }
});
