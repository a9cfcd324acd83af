import assert from "node:assert/strict";
import { diskSpace, diskUsage, diskUsages } from "../../../src/linux/disk.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("diskSpace() reads bytes and inodes from df(1)", async () => {
  const space = (stdout: string) =>
    diskSpace(recordingHost({ answer: () => ({ stdout }) }).host, "/m");
  const head = "  Avail 1B-blocks IFree Inodes\n";
  assert.deepEqual(await space(`${head}  4096      8192    12  20\n`), {
    free: 4096,
    size: 8192,
    freeInodes: 12,
  });
  assert.deepEqual(await space(`${head}     0      8192     0  20\n`), {
    free: 0,
    size: 8192,
    freeInodes: 0,
  });
  for (const inodes of ["- -", "0 0"]) {
    assert.equal((await space(`${head}  4096      8192     ${inodes}\n`))?.freeInodes, null);
  }
  for (const text of ["", head]) assert.equal(await space(text), null);
});

Deno.test("diskSpace() works with the df of this host", async () => {
  const { host } = recordingHost({ real: ["df"] });
  const space = await diskSpace(host, "/");
  assert.ok(space !== null && space.free > 0 && space.size >= space.free);
  assert.equal(await diskSpace(host, "/nonexistent"), null);
});

Deno.test("diskUsages() measures each tree, without those that do not exist", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const answers = recordingHost({
      answer: (argv) =>
        argv[0] === "du" ? { stdout: `4096\t${folder}/a b\x008192\t${folder}/c\0` } : undefined,
    });
    const paths = [`${folder}/a b`, `${folder}/c`, `${folder}/none`];
    const usages = await diskUsages(answers.host, paths);
    assert.deepEqual([...usages], [[`${folder}/a b`, 4096], [`${folder}/c`, 8192]]);
    assert.equal(await diskUsage(host, `${folder}/none`), null);
    assert.equal((await diskUsages(host, [])).size, 0);
    assert.deepEqual(answers.processes[0]?.options, { stdin: paths.map((p) => `${p}\0`).join("") });
  });
});

Deno.test("diskUsage() gives up where du(1) takes too long", async () => {
  const { host, processes } = recordingHost({ answer: () => ({ code: 124 }) });
  assert.equal(await diskUsage(host, "/writes", 5), null);
  assert.deepEqual(processes[0]?.argv.slice(0, 3), ["timeout", "5", "du"]);
});
