import assert from "node:assert/strict";
import { canMapTree } from "../../../../src/machines/storage/map_tree.ts";
import { skip } from "../../../skip.ts";
import { type Answer, inFolder } from "../../recording_host.ts";
import { standaloneHost } from "../standalone_host.ts";

/** Whether nspawn made a folder in the tree, its exit code, its version, and the answer; null for none. */
const ENDS: readonly (readonly [boolean, number, number, boolean | null])[] = [
  [true, 1, 252, true],
  [false, 1, 252, false],
  [true, 1, 249, false],
  [false, 143, 252, null],
];

for (const [maps, code, version, told] of ENDS) {
  const name = `canMapTree() is ${told} where nspawn ${version} ends with ${code} and ${maps}`;
  Deno.test(`${name} folders in the tree`, async () => {
    if (Deno.uid() !== 0) return skip(name, "not root");
    await inFolder(async (folder) => {
      const { host, commands } = standaloneHost(folder, async (argv): Promise<Answer> => {
        if (argv.includes("--version")) return { stdout: `systemd ${version} (${version})\n` };
        const tree = argv.find((word) => word.startsWith("--directory="))?.split("=")[1];
        if (tree === undefined) return {};
        if (maps) await Deno.mkdir(`${tree}/proc`);
        return {
          code,
          stderr: code > 128 ? "" : "ID mapped mounts are apparently not available, sorry.",
        };
      });
      const probe = {
        store: folder,
        folder: `${folder}/m/run-1`,
        cgroups: ["/no/such/cgroup"],
        boot: "b",
      };
      if (told === null) {
        await assert.rejects(canMapTree(host, probe), /Cannot find out what this host can do/);
      } else assert.equal(await canMapTree(host, probe), told);
      assert.equal(await host.files.lstat(probe.folder), null, "nothing is left");
      const before = commands().length;
      if (told !== null) assert.equal(await canMapTree(host, probe), told);
      assert.equal(commands().length, before, "the answer is kept");
    });
  });
}
