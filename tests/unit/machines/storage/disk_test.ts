/** A limit to what a machine writes, by storage. */

import assert from "node:assert/strict";
import type { Argv } from "../../../../src/host/host.ts";
import { openChannel } from "../../../../src/machines/exec/script.ts";
import { explain } from "../../../../src/machines/report/explain.ts";
import { btrfs } from "../../../../src/machines/storage/btrfs.ts";
import { remainingOn } from "../../../../src/machines/storage/disk.ts";
import { overlay } from "../../../../src/machines/storage/overlay.ts";
import { tmpfs } from "../../../../src/machines/storage/tmpfs.ts";
import { type Answer, inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf, pathsIn } from "../fixture.ts";

const MIB = 1024 ** 2;

/** A store, a machine's folder in it, and a host on which what is mounted stays mounted. */
async function inMachine(
  act: (folder: string, scene: ReturnType<typeof mountingHost>) => Promise<void>,
): Promise<void> {
  await inFolder(async (store) => {
    const folder = `${store}/.machines/run-42`;
    await Deno.mkdir(folder, { recursive: true });
    await act(folder, mountingHost());
  });
}

function mountingHost(answer: (argv: Argv) => Answer | void = () => {}) {
  const mounted = new Set<string>();
  const recording = recordingHost({
    answer(argv): Answer | void {
      const said = answer(argv);
      if (said !== undefined) return said;
      if (argv[0] === "umount") mounted.delete(argv.at(-1)!);
      if (argv[0] === "mount" || argv[0] === "sh") mounted.add(argv.at(-1)!);
    },
  });
  const { files } = recording.host;
  const stat = async (path: string) => {
    const stat = await files.stat(path);
    return stat && { ...stat, dev: stat.dev + (mounted.has(path) ? 1 : 0) };
  };
  return { ...recording, host: { ...recording.host, files: { ...files, stat } }, mounted };
}

Deno.test("overlay with a limit has a disk, which goes with it", () =>
  inMachine(async (folder, { host, processes, mounted }) => {
    const disk = folder.replace(".machines", ".disks");
    await overlay.create(host, "/c", folder, null, 32 * MIB);
    assert.deepEqual(processes[0]!.argv.slice(-3), [disk, `${32 * MIB}`, folder]);
    assert.match(processes[0]!.argv[2]!, /mkfs\.ext4 .*\n.*\nmount -o loop,nodev/);
    await Deno.writeTextFile(disk, "");
    const held = folder.replace("run-", "held-");
    await overlay.move(host, folder, held);
    assert.deepEqual([...mounted], [held]);
    await Deno.stat(disk.replace("run-", "held-"));
    await overlay.move(host, folder, held); // as after a kill
    await overlay.remove(host, held);
    await overlay.remove(host, folder);
    assert.deepEqual([...mounted], []);
    assert.deepEqual(await host.files.list(disk.replace("/run-42", "")), []);
  }));

Deno.test("overlay without a limit costs no process", () =>
  inMachine(async (folder, { host, commands }) => {
    await overlay.create(host, "/c", folder, null, null);
    await overlay.remove(host, folder);
    assert.deepEqual(commands(), []);
    assert.equal(await host.files.lstat(folder), null);
  }));

Deno.test("overlay names the way out where no disk can be made", () =>
  inMachine(async (folder) => {
    const { host } = mountingHost(() => ({ code: 1, stderr: "mount: no loop devices\n" }));
    await assert.rejects(overlay.create(host, "/c", folder, null, 2048 * MIB), {
      kind: "host",
      message: "Cannot make a disk of 2.0 GiB for the machine: mount: no loop devices",
      hint: /storage = "tmpfs"/,
    });
  }));

Deno.test("tmpfs with a limit has that size, and as many files as a disk of it", () =>
  inMachine(async (folder, { host, commands }) => {
    await tmpfs.create(host, "/c", folder, null, 32 * MIB);
    assert.match(commands()[0]!, /nodev,size=33554432,nr_inodes=4096 nspawn-runner /);
  }));

Deno.test("btrfs takes its limit away before the snapshot, and only where it had one", () =>
  inMachine(async (folder) => {
    for (const limit of [32 * MIB, null]) {
      const { host, commands } = mountingHost();
      await Deno.mkdir(folder, { recursive: true });
      await btrfs.create(host, "/c", folder, null, limit);
      await btrfs.remove(host, folder);
      const groups = commands().filter((line) => line.includes("qgroup"));
      assert.equal(groups.length, limit === null ? 0 : 2);
      if (limit !== null) assert.match(groups[1]!, /limit none[^]*destroy/);
    }
  }));

Deno.test("what a limited machine may write of ours is on a file system apart", () =>
  inFolder(async (folder) => {
    for (const limited of [true, false]) {
      const { host, commands } = mountingHost();
      await openChannel(host, pathsIn(folder), {
        ...{ user: null, ids: null, owned: [], environment: [] },
        limited,
      });
      assert.equal(commands().length, limited ? 1 : 0);
      if (limited) assert.match(commands()[0]!, /^mount -t tmpfs -o size=1m,.* .*\/own$/);
    }
  }));

Deno.test("leftOn() reads bytes and files", async () => {
  const said = (stdout: string) => remainingOn(recordingHost({ answer: () => ({ stdout }) }).host, "/m");
  assert.deepEqual(await said("  Avail IFree\n  4096   12\n"), { bytes: 4096, files: 12 });
  assert.deepEqual(await said("  Avail IFree\n     0    0\n"), { bytes: 0, files: 0 });
  assert.equal(await said(""), null);
});

/** What df says, bytes and files; what the job hears. */
const DISKS: readonly (readonly [number, number, RegExp | null])[] = [
  [0, 99, /^Disk full: the machine may write 96 MiB\. Raise it: limits\.disk_max$/],
  [500_000, 99, /^Disk full: /],
  [20 * MIB, 0, /^Too many files: .* 96 MiB .*: limits\.disk_max$/],
  [20 * MIB, 99, null],
];

for (const [bytes, files, line] of DISKS) {
  Deno.test(`explain() of a limited disk with ${bytes} bytes and ${files} files left`, async () => {
    const { host } = recordingHost({
      answer: ([program]) => program === "df" ? { stdout: `Avail IFree\n${bytes} ${files}\n` } : {},
    });
    const lease = leaseOf("/nonexistent", "42", { diskMax: 96 * MIB });
    const { lines } = await explain(host, lease, { kind: "exited", code: 1 }, 0, false);
    assert.equal(lines.length, line === null ? 0 : 1);
    if (line !== null) assert.match(lines[0]!, line);
  });
}

Deno.test("explain() of a limited machine knows the host's disk, too, but on a tmpfs", async () => {
  for (const storage of ["overlay", "tmpfs"] as const) {
    const { host, processes } = recordingHost({
      answer: ([program]) =>
        program === "sh" ? { stdout: "disk 0 1000000000\n" } : { stdout: "A I\n99999999 9\n" },
    });
    const lease = leaseOf("/store", "42", { diskMax: 96 * MIB, storage });
    const { lines } = await explain(host, lease, { kind: "exited", code: 1 }, 0, false);
    assert.deepEqual(
      lines.map((line) => line.slice(0, 33)),
      storage === "tmpfs" ? [] : [
        "Disk full: 0 KiB left in /store. ",
      ],
    );
    assert.ok(processes.some(({ argv }) => argv[0] === "sh" && argv[4] === "/store"));
  }
});
