import assert from "node:assert/strict";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { tmpfs } from "../../../../src/machines/storage/tmpfs.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { inMachine, MIB } from "./mounting_host.ts";

Deno.test("tmpfs.create() mounts a tmpfs that only root can enter and that allows no devices", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = recordingHost();
    await tmpfs.create(host, treeAsLower("/c"), folder, null, null);
    const { options } = tmpfs.root(treeAsLower("/c"), folder, null);
    assert.deepEqual(commands(), [
      `mount -t tmpfs -o mode=0700,nodev nspawn-runner ${folder}`,
    ]);
    assert.deepEqual(options, [`--directory=${folder}/root`]);
  });
});

Deno.test("tmpfs.create() with a limit limits the size, and the files as a disk of that size does", () =>
  inMachine(async (folder, { host, commands }) => {
    await tmpfs.create(host, treeAsLower("/c"), folder, null, 32 * MIB);
    assert.match(commands()[0]!, /nodev,size=33554432,nr_inodes=4096 nspawn-runner /);
  }));

Deno.test("tmpfs that cannot be mounted is a failure of the host", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({ answer: () => ({ code: 32, stderr: "no right\n" }) });
    await assert.rejects(tmpfs.create(host, treeAsLower("/c"), folder, null, null), /no right/);
  });
});
