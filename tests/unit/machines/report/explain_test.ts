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

/** Counters of the kernel, whether the job was cancelled, what it hears. */
const STALLS: readonly (readonly [string, boolean, RegExp | null])[] = [
  [
    "memory.high 268435456\nmemory.events high 9\nmemory.pressure full total=42000000\n",
    true,
    /^Slowed down: the job waited 42 s for memory above limits\.memory_high, 256 MiB\. .*memory_max/,
  ],
  ["memory.events high 9\nmemory.pressure full total=9000000\n", true, null],
  ["memory.events high 0\nmemory.pressure full total=42000000\n", true, null],
  ["memory.events high 9\n", true, /^Slowed down: the job waited for memory/],
  ["memory.events high 9\n", false, null],
];

for (const [stdout, cancelled, line] of STALLS) {
  Deno.test(`explainFailure() with ${stdout.replaceAll("\n", ", ")}cancelled ${cancelled}`, async () => {
    const { host } = recordingHost({ answer: ([program]) => program === "sh" ? { stdout } : {} });
    const lease = leaseOf("/nonexistent", "42", {});
    const ending = { kind: "signalled", signal: 15 } as const;
    const { lines } = await explainFailure(host, lease, ending, 0, cancelled);
    assert.equal(lines.length, line === null ? 0 : 1, lines.join());
    if (line !== null) assert.match(lines[0]!, line);
  });
}
