import assert from "node:assert/strict";
import { writeLease } from "../../../../../src/machines/record/lease.ts";
import {
  removeShiftedLayersOf,
  removeUnusedShiftedLayers,
} from "../../../../../src/machines/storage/shifted/remove_unused.ts";
import { inFolder, recordingHost } from "../../../recording_host.ts";
import { leaseOf } from "../../fixture.ts";
import { withOwnRun } from "../../standalone_host.ts";
import { FIRST, layerIn } from "./shifting_host.ts";

Deno.test("removeUnusedShiftedLayers() keeps layers that a tree or a lease needs, and those being made", () =>
  inFolder(async (store) => {
    const host = withOwnRun(recordingHost().host, `${store}/run`);
    const layer = await layerIn(host, store);
    const folder = `${store}/.shifted`;
    const used = `${folder}/2-2/${FIRST}`;
    const half = [`${layer}/../.making-${FIRST}-a`, `${layer}/../.making-${FIRST + 1_048_576}-b`];
    const gone = ["1-1", ".leaving-x", ".trial-x"].map((entry) => `${folder}/${entry}`);
    for (const path of [layer, used, ...half, ...gone]) await Deno.mkdir(path, { recursive: true });
    await writeLease(host, leaseOf(store, "1", { ids: FIRST, layer: used }));
    const lock = await host.files.lock(`${layer}.lock`);
    async function* trees() {
      yield `${store}/none`;
      yield `${store}/tree`;
    }
    const reported: string[] = [];
    await removeUnusedShiftedLayers(host, store, trees, (path) => !reported.push(path));
    assert.equal(reported.length, gone.length + 1);
    for (const path of [...half, ...gone]) assert.ok(await host.files.lstat(path), "only reported");
    await removeUnusedShiftedLayers(host, store, trees);
    for (const path of [layer, used, half[0]!]) assert.ok(await host.files.lstat(path), path);
    for (const path of [half[1]!, ...gone]) assert.equal(await host.files.lstat(path), null, path);
    assert.deepEqual(await host.files.list(folder), [layer.split("/").at(-2), "2-2"].sort());
    await lock!.remove();
    await removeUnusedShiftedLayers(host, store, trees);
    assert.equal(await host.files.lstat(half[0]!), null);
  }));

Deno.test("removeUnusedShiftedLayers() does nothing in a store without layers", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    await removeUnusedShiftedLayers(host, store, () => assert.fail("trees are not listed"));
    assert.deepEqual(await host.files.list(store), []);
  }));

Deno.test("removeShiftedLayersOf() removes a tree's layers unless a lease names one of them", () =>
  inFolder(async (store) => {
    const host = withOwnRun(recordingHost({ real: ["rm"] }).host, `${store}/run`);
    const layer = await layerIn(host, store);
    await Deno.mkdir(layer, { recursive: true });
    await writeLease(host, leaseOf(store, "1", { ids: FIRST, layer }));
    await removeShiftedLayersOf(host, store, `${store}/tree`);
    assert.ok(await host.files.lstat(layer));
    await writeLease(host, leaseOf(store, "1"));
    await removeShiftedLayersOf(host, store, `${store}/tree`);
    assert.deepEqual(await host.files.list(`${store}/.shifted`), []);
    await removeShiftedLayersOf(host, store, `${store}/tree`);
  }));
