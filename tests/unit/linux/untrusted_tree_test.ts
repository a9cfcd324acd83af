import assert from "node:assert/strict";
import { denoFiles } from "../../../src/host/files.ts";
import { removeUntrustedTree } from "../../../src/linux/untrusted_tree.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const { host } = recordingHost({ real: ["sh", "chattr"] });

Deno.test("removeUntrustedTree() removes a tree with more levels than open files are allowed", async () => {
  await inFolder(async (folder) => {
    const deep =
      'cd "$1" && i=0; while [ $i -lt 4000 ]; do mkdir d && cd d || exit; i=$((i + 1)); done';
    await host.processes.capture(["sh", "-c", `ulimit -n 64; ${deep}`, "sh", folder]);
    await Deno.mkdir(`${folder}/d/d/other`);
    await removeUntrustedTree(host, `${folder}/d`);
    assert.equal(await denoFiles().lstat(`${folder}/d`), null);
    await removeUntrustedTree(host, `${folder}/d`);
  });
});

Deno.test("removeUntrustedTree() removes immutable and append-only files", async () => {
  await inFolder(async (folder) => {
    const tree = `${folder}/it's a tree`;
    await Deno.mkdir(`${tree}/below`, { recursive: true });
    await Deno.writeTextFile(`${tree}/below/file`, "");
    await host.processes.capture(["chattr", "+i", `${tree}/below/file`]);
    await host.processes.capture(["chattr", "+a", `${tree}/below`]);
    await removeUntrustedTree(host, tree);
    assert.equal(await denoFiles().lstat(tree), null);
  });
});

Deno.test("removeUntrustedTree() follows no link out of the tree", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/tree`);
    await Deno.writeTextFile(`${folder}/precious`, "");
    await Deno.symlink(folder, `${folder}/tree/out`);
    await removeUntrustedTree(host, `${folder}/tree`);
    assert.ok(await denoFiles().lstat(`${folder}/precious`));
  });
});
