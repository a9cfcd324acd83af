import assert from "node:assert/strict";
import { copyTree, makeTree, mountsIn, removeTree, removeTrees } from "../../../src/linux/tree.ts";
import { type Answer, inFolder, recordingHost } from "../recording_host.ts";

/** Returns a host whose folders are on this file system, with these mount points. */
function treeHost(fileSystem: string, ...points: string[]) {
  const mountinfo = points.map((point) => `1 2 0:3 / ${point} rw - tmpfs none rw\n`).join("");
  return recordingHost({
    answer: ([program]): Answer | void => {
      if (program === "stat") return { stdout: `${fileSystem}\n` };
      if (program === "cat") return { stdout: mountinfo };
    },
  });
}

Deno.test("mountsIn() returns the mounts at a path and below, by its path without symlinks", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/tree`);
    await Deno.symlink("tree", `${folder}/link`);
    const tree = `${folder}/tree`;
    const points = [tree, `${tree}/a`, `${tree}2`, folder, `${tree}/b\\040c`];
    const { host } = treeHost("ext4", ...points);
    assert.deepEqual(await mountsIn(host, `${folder}/link`), [tree, `${tree}/a`, `${tree}/b c`]);
  });
});

Deno.test("makeTree() makes a directory that all users can enter, or a subvolume on btrfs", async () => {
  await inFolder(async (folder) => {
    await makeTree(treeHost("ext4").host, `${folder}/tree`);
    assert.equal((await Deno.stat(`${folder}/tree`)).mode! & 0o777, 0o755);
    const { host, commands } = treeHost("btrfs");
    await makeTree(host, `${folder}/tree`);
    assert.equal(commands().at(-1), `btrfs subvolume create ${folder}/tree`);
  });
});

Deno.test("copyTree() copies with all metadata where no snapshot can be made", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = treeHost("ext4");
    await copyTree(host, "/from", `${folder}/to`, new AbortController().signal);
    const copy = `cp --archive --reflink=auto --one-file-system -- /from/. ${folder}/to`;
    assert.ok(commands().at(-1)?.endsWith(copy), commands().at(-1));
  });
});

Deno.test("removeTree() refuses to remove mounted file systems, and names the last one", async () => {
  await inFolder(async (folder) => {
    const { host } = treeHost("ext4", `${folder}/a`, `${folder}/a/b`);
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    await assert.rejects(removeTree(host, folder), {
      kind: "refused",
      hint: `Unmount it: umount ${folder}/a/b`,
    });
    await Deno.stat(`${folder}/a/b`);
  });
});

Deno.test("removeTrees() removes a folder with all trees, and accepts a missing one", async () => {
  await inFolder(async (folder) => {
    const { host } = treeHost("ext4");
    await Deno.mkdir(`${folder}/trees/a/b`, { recursive: true });
    await Deno.writeTextFile(`${folder}/trees/file`, "");
    for (const _ of ["there", "missing"]) await removeTrees(host, `${folder}/trees`);
    await assert.rejects(Deno.stat(`${folder}/trees`), Deno.errors.NotFound);
  });
});
