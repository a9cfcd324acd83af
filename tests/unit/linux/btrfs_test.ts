import assert from "node:assert/strict";
import type { Stat } from "../../../src/host/host.ts";
import { createSubvolume, isSubvolume } from "../../../src/linux/btrfs.ts";
import { recordingHost } from "../recording_host.ts";

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

Deno.test("createSubvolume() reports the error of btrfs(8)", async () => {
  const { host } = recordingHost({ answer: () => ({ code: 1, stderr: "ERROR: no space\n" }) });
  await assert.rejects(createSubvolume(host, "/m/root"), {
    kind: "host",
    message: "Cannot create subvolume /m/root: ERROR: no space",
  });
});
