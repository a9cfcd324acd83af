import assert from "node:assert/strict";
import { planPulledImage } from "../../../src/app/pulled_image.ts";
import { treesOfShiftedLayers } from "../../../src/app/trees_of_shifted_layers.ts";
import { listIds, readRecord, writeRecord } from "../../../src/images/store/record.ts";
import { removeImage } from "../../../src/images/store/remove.ts";
import { NEVER, requestFor, withImages } from "../images/store/fixture.ts";

const NAME = "registry.example:5000/g/app:1";

Deno.test("planPulledImage() starts machines as the image is configured, unless the job has something else", () =>
  withImages(async ({ host, config, store, registry }) => {
    registry[NAME] = "{}";
    const treeOf = async (changes: Parameters<typeof requestFor>[1]) =>
      await (await planPulledImage(host, config, requestFor(NAME, changes), NEVER)).tree();
    const tree = await treeOf({});
    assert.deepEqual([tree.name, tree.user, tree.environment], [NAME, "ci", ["A=b"]]);
    assert.deepEqual([tree.generation, tree.isImmutable], [null, true]);
    assert.equal(tree.lower.folder, `${store}/.images/storage/overlay`);
    assert.equal((await host.files.stat(tree.path))?.kind, "directory");
    assert.deepEqual(tree.process, { entrypoint: [], workingDir: "" });
    const other = await treeOf({ user: "7", entrypoint: ["/entry"] });
    assert.deepEqual([other.user, other.process?.entrypoint], ["7", ["/entry"]]);
  }));

Deno.test("planPulledImage() obtains an image again that was removed before a lease named it", () =>
  withImages(async ({ host, config, store, registry, recording }) => {
    registry[NAME] = "{}";
    const plan = await planPulledImage(host, config, requestFor(NAME), NEVER);
    const asked = () => recording.commands().filter((line) => line.includes("inspect")).length;
    const { path } = await plan.tree();
    assert.equal(asked(), 1);
    const [id] = await listIds(host, store);
    assert.equal(await removeImage(host, store, id!), null);
    assert.equal(await host.files.lstat(path), null);
    assert.equal((await plan.tree()).path, path);
    assert.equal(asked(), 2);
    assert.equal((await host.files.stat(path))?.kind, "directory");
  }));

Deno.test("planPulledImage() obtains an image again that is removed while it is obtained", () =>
  withImages(async ({ host, config, store, registry }) => {
    registry[NAME] = "{}";
    let removals = 0;
    const touch = async (path: string, time: number) => {
      if (removals++ === 0) {
        for (const id of await listIds(host, store)) await removeImage(host, store, id);
      }
      await host.files.touch(path, time);
    };
    const own = { ...host, files: { ...host.files, touch } };
    const plan = await planPulledImage(own, config, requestFor(NAME), NEVER);
    const { path } = await plan.tree();
    assert.equal((await host.files.stat(path))?.kind, "directory");
    assert.equal((await listIds(host, store)).length, 1);
  }));

Deno.test("planPulledImage() refuses an image with more layers than mount(2) takes", () =>
  withImages(async ({ host, config, store, registry }) => {
    registry[NAME] = "{}";
    const request = requestFor(NAME, { policies: ["if-not-present"] });
    await planPulledImage(host, config, request, NEVER);
    const [id] = await listIds(host, store);
    const record = await readRecord(host, store, id!);
    const layers = (count: number) => Array.from({ length: count }, () => record!.layers[0]!);
    await writeRecord(host, store, { ...record!, layers: layers(127) });
    await planPulledImage(host, config, request, NEVER);
    await writeRecord(host, store, { ...record!, layers: layers(128) });
    await assert.rejects(planPulledImage(host, config, request, NEVER), {
      kind: "refused",
      message: /it has 128 layers, and machines can have 127$/,
    });
  }));

Deno.test("treesOfShiftedLayers() lists pulled images, whose shifted layers stay", () =>
  withImages(async ({ host, config, store, registry }) => {
    registry[NAME] = "{}";
    const { path } = await (await planPulledImage(host, config, requestFor(NAME), NEVER)).tree();
    assert.deepEqual(await Array.fromAsync(treesOfShiftedLayers(host, store)), [path]);
  }));
