import assert from "node:assert/strict";
import { treeAsLower } from "../../../../../src/machines/record/lower.ts";
import {
  makeFirstShiftedLayers,
  makeShiftedLayer,
} from "../../../../../src/machines/storage/shifted/make.ts";
import { type Answer, inFolder } from "../../../recording_host.ts";
import { countShifts, FIRST, layerIn, never, shiftingHost } from "./shifting_host.ts";

/** The tree that layerIn() creates, as a generation. */
function treeOf(store: string) {
  const path = `${store}/tree`;
  return { path, lower: treeAsLower(path), isImmutable: true };
}

Deno.test("makeShiftedLayer() makes a layer once, and leaves nothing beside it", () =>
  inFolder(async (store) => {
    const { host, commands } = shiftingHost();
    const layer = await layerIn(host, store);
    const tree = treeOf(store);
    await Promise.all([1, 2].map(() => makeShiftedLayer(host, layer, tree, never)));
    await makeShiftedLayer(host, layer, tree, never);
    assert.equal(countShifts(commands()), 1);
    assert.equal(await Deno.readTextFile(`${layer}/upper/made`), `${tree.path} ${FIRST}`);
    assert.deepEqual(await host.files.list(`${layer}/..`), [`${FIRST}`]);
    assert.equal((await Deno.stat(`${store}/.shifted`)).mode! & 0o777, 0o700);
  }));

Deno.test("makeShiftedLayer() makes a layer again after another program changed the tree", () =>
  inFolder(async (store) => {
    let state = "one";
    const { host, commands } = shiftingHost(({ 0: program }) =>
      program === "sh" ? { stdout: state } : undefined
    );
    const layer = await layerIn(host, store);
    const make = (isImmutable = false) =>
      makeShiftedLayer(host, layer, { ...treeOf(store), isImmutable }, never);
    for (let time = 0; time < 2; time++) await make();
    assert.equal(countShifts(commands()), 1);
    state = "two";
    for (let time = 0; time < 2; time++) await make();
    assert.equal(countShifts(commands()), 2);
    await make(true);
    assert.equal(countShifts(commands()), 3, "it has become a generation");
  }));

Deno.test("makeShiftedLayer() that fails or is interrupted leaves no layer that would be used", () =>
  inFolder(async (store) => {
    let answer: Answer = { code: 1, stderr: "chown: x\ncp: No space left on device\n" };
    const { host } = shiftingHost(() => answer);
    const layer = await layerIn(host, store);
    const tree = treeOf(store);
    await assert.rejects(makeShiftedLayer(host, layer, tree, never), {
      kind: "host",
      message: /^Cannot shift the owners of the files in .*\/tree: cp: No space left on device$/,
      hint: /extended attributes/,
    });
    assert.deepEqual(await host.files.list(`${layer}/..`), []);
    answer = {};
    const interrupt = new AbortController();
    const { host: interrupted } = shiftingHost(() => interrupt.abort());
    const making = makeShiftedLayer(interrupted, layer, tree, interrupt.signal);
    await assert.rejects(making, { kind: "host", message: /interrupted/ });
    assert.equal(await host.files.lstat(layer), null);
    await makeShiftedLayer(host, layer, tree, never);
    assert.deepEqual(
      await host.files.list(`${layer}/..`),
      [`${FIRST}`],
      "the unfinished layer is removed",
    );
  }));

Deno.test("makeFirstShiftedLayers() makes the layers of the first two machines", () =>
  inFolder(async (store) => {
    const { host } = shiftingHost();
    const layer = await layerIn(host, store);
    await makeFirstShiftedLayers(host, store, `${store}/tree`, never);
    assert.deepEqual(await host.files.list(`${layer}/..`), [`${FIRST}`, `${FIRST + 1_048_576}`]);
  }));
