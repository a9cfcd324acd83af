import assert from "node:assert/strict";
import { obtainImage } from "../../../../src/images/store/obtain.ts";
import { recordPath } from "../../../../src/images/store/paths.ts";
import { listImages, type StoredImage } from "../../../../src/images/store/record.ts";
import { evictImages, totalSize, unkeptImages } from "../../../../src/images/store/retention.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { leaseOf } from "../../machines/fixture.ts";
import { type ImageHost, NEVER, requestFor, withImages } from "./fixture.ts";

const DAY = 86_400_000;

/** Pulls images, of which each was last used a day before the one before. */
async function pulled({ host, config, registry }: ImageHost): Promise<StoredImage[]> {
  const images: StoredImage[] = [];
  for (const [days, name] of ["a.example/0:1", "a.example/1:1", "a.example/2:1"].entries()) {
    registry[name] = JSON.stringify({ name });
    const image = await obtainImage(host, config, requestFor(name), NEVER);
    await host.files.touch(recordPath(config.store, image.id), host.clock.now() - days * DAY);
    images.push(image);
  }
  return images;
}

Deno.test("unkeptImages() returns old images, and the least recently used above the size", async () => {
  await withImages(async (images) => {
    const { host, store } = images;
    const [, , oldest] = await pulled(images);
    const unkept = async (size: number, days: number) =>
      (await unkeptImages(host, store, { size, age: days * 86_400 })).map(({ name }) => name);
    // A layer of 1000 bytes is shared by all, and each has one of 10 bytes.
    assert.equal(await totalSize(host, store, await listImages(host, store)), 1030);
    assert.deepEqual(await unkept(Infinity, 30), []);
    assert.deepEqual(await unkept(1030, 30), []);
    assert.deepEqual(await unkept(1029, 30), ["a.example/2:1"]);
    assert.deepEqual(await unkept(Infinity, 0.5), ["a.example/2:1", "a.example/1:1"]);
    assert.deepEqual(await unkept(1, 0), ["a.example/2:1", "a.example/1:1"], "one was just used");
    const chroot = { name: "x", path: oldest!.path, lower: treeAsLower(oldest!.path) };
    await writeLease(host, leaseOf(store, "5", { chroot }));
    assert.deepEqual(await unkept(1, 0), ["a.example/1:1"]);
  });
});

Deno.test("evictImages() removes the least recently used images until enough is free", async () => {
  await withImages(async (images) => {
    const { host, store, recording } = images;
    await pulled(images);
    let free = 0;
    await evictImages(host, store, () => Promise.resolve(free++ > 0), NEVER);
    const names = (await listImages(host, store)).flatMap((image) => image.names);
    assert.deepEqual(names, ["a.example/1:1", "a.example/0:1"]);
    assert.match(recording.err(), /Removing image a.example\/2:1: disk space is short/);
    await evictImages(host, store, () => Promise.resolve(false), NEVER);
    assert.equal((await listImages(host, store)).length, 1, "one was just used");
  });
});
