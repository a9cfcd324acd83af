import assert from "node:assert/strict";
import { folderFinder, foldersOnPath } from "../../../src/linux/lookup.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("foldersOnPath() names the folders of all links on the way, and ends in a loop of links", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    await Deno.mkdir(`${folder}/c`);
    await Deno.symlink("../c/up", `${folder}/a/link`);
    await Deno.symlink(`${folder}/a`, `${folder}/c/up`);
    await Deno.symlink("loop", `${folder}/c/loop`);
    const below = async (path: string) =>
      (await foldersOnPath(host, `${folder}/${path}`)).filter((one) => one.startsWith(folder))
        .map((one) => one.slice(folder.length));
    assert.deepEqual(await below("a/b/x"), ["", "/a", "/a/b"]);
    assert.deepEqual(await below("a/link/b"), ["", "/a", "/c"]);
    assert.deepEqual(await below("a/./b/../x/"), ["", "/a"]);
    assert.deepEqual(await below("c/loop/x"), ["", "/c"]);
  }));

Deno.test("folderFinder() finds a folder also where a mount shows it elsewhere", async () => {
  const stdout = `1 0 8:1 / / rw - ext4 a rw
2 1 8:2 / /srv rw - ext4 b rw
3 1 8:2 /jobs/deep /mnt/deep rw - ext4 b rw
4 1 8:2 / /mnt/all rw - ext4 b rw
5 2 8:3 / /srv/jobs/disk rw - ext4 c rw
6 1 8:3 / /mnt/disk rw - ext4 c rw
`;
  const { host } = recordingHost({ answer: () => ({ stdout }) });
  const { onPath, onPathOrInside } = await folderFinder(host, ["/else", "/srv/jobs"]);
  const found: Record<string, string | undefined> = {
    "/srv/jobs/x": "/srv/jobs",
    "/mnt/deep/x": "/srv/jobs",
    "/mnt/all/jobs/x": "/srv/jobs",
    "/mnt/disk/x": "/srv/jobs",
    "/else/x": "/else",
    "/srv/jobs": undefined,
    "/mnt/deep": undefined,
    "/mnt/all/jobsx/x": undefined,
    "/mnt/jobs/x": undefined,
    "/jobs/x": undefined,
  };
  for (const [path, folder] of Object.entries(found)) {
    assert.equal(await onPath(path), folder, path);
  }
  const inside = ["/srv", "/srv/jobs", "/mnt", "/mnt/deep", "/mnt/all", "/mnt/disk", "/srv/jobs/x"];
  for (const path of inside) assert.equal(await onPathOrInside(path), "/srv/jobs", path);
  assert.equal(await onPathOrInside("/mnt/jobs"), undefined);
});
