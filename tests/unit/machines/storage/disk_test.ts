import assert from "node:assert/strict";
import { moveAside } from "../../../../src/machines/end/removal.ts";
import type { MachineName } from "../../../../src/machines/record/name.ts";
import { denoProcesses } from "../../../../src/host/processes.ts";
import { createDisk, moveDisk, remainingOn } from "../../../../src/machines/storage/disk.ts";
import { skip } from "../../../skip.ts";
import { recordingHost } from "../../recording_host.ts";
import { inMachine, MIB } from "./mounting_host.ts";

Deno.test("remainingOn() reads bytes and files from df(1)", async () => {
  const remaining = (stdout: string) =>
    remainingOn(recordingHost({ answer: () => ({ stdout }) }).host, "/m");
  assert.deepEqual(await remaining("  Avail 1B-blocks IFree Inodes\n  4096  8192 12 20\n"), {
    bytes: 4096,
    files: 12,
  });
  assert.deepEqual(await remaining("  Avail 1B-blocks IFree Inodes\n     0  8192  0 20\n"), {
    bytes: 0,
    files: 0,
  });
  assert.equal(await remaining(""), null);
});

Deno.test("createDisk() mounts a file system of that size, which moveDisk() moves and moveAside() frees", async () => {
  const name = "createDisk() mounts a file system of that size";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inMachine(async (folder) => {
    const { host } = recordingHost({ real: ["sh", "df", "mount", "umount", "rm"] });
    const created = await createDisk(host, folder, 32 * MIB).then(() => null, (error) => error);
    if (created !== null) return skip(name, created.message);
    const held = folder.replace("run-", "held-");
    try {
      const remaining = await remainingOn(host, folder);
      assert.ok(remaining!.bytes > 24 * MIB && remaining!.bytes <= 32 * MIB, `${remaining!.bytes}`);
      assert.equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
      await Deno.writeTextFile(`${folder}/file`, "content");
      assert.ok(await moveDisk(host, folder, held));
      assert.equal(await Deno.readTextFile(`${held}/file`), "content");
    } finally {
      for (const id of ["held-42", "run-42"]) {
        await moveAside(host, folder.replace("/.machines/run-42", ""), id as MachineName);
      }
    }
    const { stdout } = await denoProcesses(host.log).capture(["losetup", "--list"]);
    assert.ok(!stdout.includes(folder.replace(".machines/run-42", "")), "no loop device is left");
  });
});
