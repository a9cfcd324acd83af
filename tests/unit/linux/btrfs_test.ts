import assert from "node:assert/strict";
import type { Stat } from "../../../src/host/host.ts";
import { createSubvolume, deleteSubvolume, isSubvolume } from "../../../src/linux/btrfs.ts";
import { type Answer, recordingHost } from "../recording_host.ts";

/** Returns a host with nested subvolumes; its btrfs(8) deletes none that holds another one. */
function btrfsHost(...subvolumes: string[]) {
  const left = new Set(subvolumes);
  const recording = recordingHost({
    answer(argv): Answer | void {
      if (argv[0] === "find") {
        const inner = [...left].find((path) => path.startsWith(`${argv[1]}/`));
        return { stdout: inner === undefined ? "" : `${inner}\0` };
      }
      const path = argv[3]!;
      if ([...left].some((other) => other.startsWith(`${path}/`))) {
        return { code: 1, stderr: "busy" };
      }
      left.delete(path);
    },
  });
  const files = {
    ...recording.host.files,
    lstat: async (path: string) => {
      const stat = (await recording.host.files.lstat("/"))!;
      return { ...stat, ino: left.has(path) ? 256 : 2 };
    },
  };
  return { ...recording, host: { ...recording.host, files }, left };
}

Deno.test("deleteSubvolume() needs one process for a subvolume without inner ones", async () => {
  const { host, commands, left } = btrfsHost("/m/root");
  await deleteSubvolume(host, "/m/root");
  assert.deepEqual(commands(), ["btrfs subvolume delete /m/root"]);
  assert.equal(left.size, 0);
});

Deno.test("deleteSubvolume() deletes inner subvolumes first, at any depth and with any name", async () => {
  const { host, commands, processes, left } = btrfsHost(
    "/m/root",
    "/m/root/-a\n$b",
    "/m/root/-a\n$b/c",
  );
  await deleteSubvolume(host, "/m/root");
  assert.equal(left.size, 0);
  const find = processes.find(({ argv }) => argv[0] === "find")!.argv;
  // Names can contain newlines, and the search does not descend into inner subvolumes.
  assert.deepEqual(find.slice(1), [
    ...["/m/root", "-mindepth", "1", "-inum", "256", "-type", "d", "-prune", "-print0"],
  ]);
  const deleted = commands().filter((line) => line.startsWith("btrfs"));
  assert.equal(deleted.at(-1), "btrfs subvolume delete /m/root");
});

Deno.test("isSubvolume() is true only for a folder with inode 256", async () => {
  const { host } = recordingHost();
  const stat = (await host.files.lstat("/"))!;
  const is = (kind: Stat["kind"], ino: number) => {
    const files = { ...host.files, lstat: () => Promise.resolve({ ...stat, kind, ino }) };
    return isSubvolume({ ...host, files }, "/m");
  };
  assert.deepEqual(
    [await is("directory", 256), await is("directory", 257), await is("file", 256)],
    [true, false, false],
  );
  assert.ok(!await isSubvolume(host, "/nonexistent"));
});

Deno.test("deleteSubvolume() does nothing where there is no subvolume", async () => {
  const { host, commands } = btrfsHost();
  await deleteSubvolume(host, "/m/root");
  assert.deepEqual(commands(), []);
});

Deno.test("deleteSubvolume() and createSubvolume() report the error of btrfs(8)", async () => {
  const failing = recordingHost({ answer: () => ({ code: 1, stderr: "ERROR: no space\n" }) }).host;
  const stat = (await failing.files.lstat("/"))!;
  const files = { ...failing.files, lstat: () => Promise.resolve({ ...stat, ino: 256 }) };
  for (const act of [createSubvolume, deleteSubvolume]) {
    await assert.rejects(act({ ...failing, files }, "/m/root"), {
      kind: "host",
      message: /^Cannot (create|delete) subvolume \/m\/root: ERROR: no space$/,
    });
  }
});
