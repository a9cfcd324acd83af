import assert from "node:assert/strict";
import type { Stat } from "../../../../../src/host/host.ts";
import {
  identifyTree,
  shiftedLayerPath,
} from "../../../../../src/machines/storage/shifted/layer.ts";
import { type Answer, inFolder, PROGRAM_FILE, recordingHost } from "../../../recording_host.ts";
import { FIRST, layerIn } from "./shifting_host.ts";

Deno.test("shiftedLayerPath() stays the same when a tree is moved, and differs for a new tree in its place", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    const layer = await layerIn(host, store);
    assert.match(layer, new RegExp(`^${store}/\\.shifted/\\d+-\\d+/${FIRST}$`));
    await Deno.rename(`${store}/tree`, `${store}/moved`);
    assert.equal(await shiftedLayerPath(host, store, `${store}/moved`, FIRST), layer);
    assert.notEqual(await layerIn(host, store), layer);
    assert.equal(await shiftedLayerPath(host, store, `${store}/none`, FIRST), null);
  }));

const UUID = "09efcfba-ff59-e349-9010-e7fab5f2a93f";

/** A tree, how stat(2) and btrfs(8) describe it, and its key. */
const KEYS: readonly (readonly [string, Partial<Stat>, Answer, string | null])[] = [
  ["a folder", {}, {}, "7-5"],
  ["a folder without a time of birth", { born: null }, {}, null],
  ["a subvolume", { ino: 256 }, { stdout: `snapshot\n\tUUID: \t\t${UUID}\n` }, UUID],
  ["a subvolume of an old mkfs", { ino: 256 }, { stdout: "\tUUID: \t-\n\tParent UUID: -\n" }, null],
  ["a subvolume without btrfs-progs", { ino: 256 }, { code: 127 }, null],
  ["a folder with that number on ext4", { ino: 256 }, { code: 3 }, "256-5"],
];

for (const [what, more, answer, expected] of KEYS) {
  Deno.test(`identifyTree() of ${what} is ${expected}`, async () => {
    const { host } = recordingHost({ answer: () => answer });
    const tree: Stat = { ...PROGRAM_FILE, kind: "directory", ino: 7, born: new Date(5), ...more };
    const files = { ...host.files, stat: () => Promise.resolve(tree) };
    assert.equal(await identifyTree({ ...host, files }, "/tree"), expected);
  });
}
