import assert from "node:assert/strict";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { tree } from "../../../../src/machines/storage/tree.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

Deno.test("tree.root() is the tree itself; with own ids, nspawn maps the owners; no device in it opens", () => {
  assert.deepEqual(tree.root(treeAsLower("/t"), "/m", null).options, ["--directory=/t"]);
  const { options, mount } = tree.root(treeAsLower("/t"), "/m", 0x6000_0000);
  assert.deepEqual(options, ["--directory=/t", "--private-users-ownership=map"]);
  assert.match(mount.script, / -o nodev /);
  assert.deepEqual(mount.args, ["/t"]);
});

Deno.test("tree.create() and tree.remove() change nothing but the machine's own folder", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = recordingHost();
    await host.files.makeDirectory(`${folder}/machine/own`);
    await host.files.makeDirectory(`${folder}/tree/usr`);
    await tree.create();
    await tree.remove(host, `${folder}/machine`);
    assert.deepEqual(await host.files.list(folder), ["tree"]);
    assert.deepEqual(commands(), []);
  });
});
