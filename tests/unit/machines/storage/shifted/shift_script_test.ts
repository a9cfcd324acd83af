/** Runs SHIFT_OWNERS_SCRIPT in a real shell and a real mount namespace. */

import assert from "node:assert/strict";
import { treeAsLower } from "../../../../../src/machines/record/lower.ts";
import { denoProcesses } from "../../../../../src/host/processes.ts";
import { metadataCopiesIn } from "../../../../../src/machines/storage/shifted/layer.ts";
import { shiftArgv } from "../../../../../src/machines/storage/shifted/shift.ts";
import { skip } from "../../../../skip.ts";
import { inFolder, recordingHost } from "../../../recording_host.ts";
import { FIRST } from "./shifting_host.ts";

const { capture } = denoProcesses(recordingHost().host.log);

/** Fills the folder `$1` with a file of each kind that chown(2) or an overlay could change. */
const FILL_TREE = `
cd "$1"
echo content >file
chown 1000:1001 file
echo set-uid >'set uid'
chmod 4755 'set uid'
echo capable >'cap\\able'
setcap cap_net_raw+ep 'cap\\able' 2>/dev/null || :
ln file 'hard link'
ln -s /nowhere link
chown -h 7:8 link
mkdir -m 1777 folder
echo high >folder/high
chown 1048575:70000 folder/high
echo higher >folder/higher
chown 1048576:2000000 folder/higher
mkfifo pipe
`;

/** Prints what the machine would see: owner, mode, links and name of each file, and some content. */
const LIST = `
mkdir lower merged
mount --bind "$2" lower
mount -t overlay -o metacopy=on,redirect_dir=on,lowerdir=upper:lower overlay merged
cd merged
find . -mindepth 1 -type d -printf '%U:%G %m - %P\\n' -o -mindepth 1 -printf '%U:%G %m %n %P\\n' |
  sort -k 4
cat file 'set uid' folder/high
getcap 'cap\\able' 2>/dev/null || :
`;

Deno.test("SHIFT_OWNERS_SCRIPT shifts owners, and keeps modes, links, capabilities and content", async () => {
  const name = "SHIFT_OWNERS_SCRIPT shifts owners";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const [tree, layer] = [`${folder}/tree`, `${folder}/layer`];
    for (const path of [tree, layer]) await Deno.mkdir(path);
    const filled = await capture(["sh", "-euc", FILL_TREE, "sh", tree]);
    assert.equal(filled.code, 0, filled.stderr);
    const { code, stdout, stderr } = await capture(
      shiftArgv(layer, treeAsLower(tree), FIRST, LIST),
    );
    if (/mount: .*(overlay|metacopy)/.test(stderr)) return skip(name, "no overlay with metacopy");
    assert.equal(code, 0, stderr);
    const lines = stdout.split("\n");
    const at = (id: number) => FIRST + id;
    assert.deepEqual(lines.slice(0, 9), [
      `${at(0)}:${at(0)} 644 1 cap\\able`,
      `${at(1000)}:${at(1001)} 644 2 file`,
      `${at(0)}:${at(0)} 1777 - folder`,
      `${at(1_048_575)}:${at(70_000)} 644 1 folder/high`,
      "1048576:2000000 644 1 folder/higher",
      `${at(1000)}:${at(1001)} 644 2 hard link`,
      `${at(7)}:${at(8)} 777 1 link`,
      `${at(0)}:${at(0)} 644 1 pipe`,
      `${at(0)}:${at(0)} 4755 1 set uid`,
    ]);
    assert.deepEqual(lines.slice(9, 12), ["content", "set-uid", "high"]);
    const hasCapability = (await capture(["getcap", `${tree}/cap\\able`])).stdout !== "";
    if (hasCapability) assert.match(lines[12]!, /cap_net_raw/);
  });
});

Deno.test("SHIFT_OWNERS_SCRIPT changes nothing in the tree, and leaves copies without content", async () => {
  const name = "SHIFT_OWNERS_SCRIPT changes nothing in the tree";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const [tree, layer] = [`${folder}/tree`, `${folder}/layer`];
    for (const path of [tree, layer]) await Deno.mkdir(path);
    await Deno.writeFile(`${tree}/file`, new Uint8Array(1024 * 1024));
    const { code, stderr } = await capture(shiftArgv(layer, treeAsLower(tree), FIRST));
    if (/mount: .*(overlay|metacopy)/.test(stderr)) return skip(name, "no overlay with metacopy");
    assert.equal(code, 0, stderr);
    assert.equal((await Deno.stat(`${tree}/file`)).uid, 0);
    const copy = await Deno.stat(`${metadataCopiesIn(layer)}/file`);
    assert.deepEqual([copy.uid, copy.size], [FIRST, 1024 * 1024]);
    assert.ok(copy.blocks! < 64, `${copy.blocks} blocks`);
    assert.deepEqual(await recordingHost().host.files.list(layer), ["upper"]);
  });
});
