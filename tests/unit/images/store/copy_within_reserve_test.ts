import assert from "node:assert/strict";
import { obtainImage } from "../../../../src/images/store/obtain.ts";
import { recordPath } from "../../../../src/images/store/paths.ts";
import { listImages } from "../../../../src/images/store/record.ts";
import { type ImageHost, NEVER, requestFor, withImages } from "./fixture.ts";

const HOUR = 3_600_000;
const MIB = 1_048_576;

/** Pulls an image that no job has used for some hours. */
async function pull({ host, config, registry }: ImageHost, name: string, hours: number) {
  registry[name] = JSON.stringify({ name });
  const { id } = await obtainImage(host, config, requestFor(name), NEVER);
  await host.files.touch(recordPath(config.store, id), host.clock.now() - hours * HOUR);
}

const namesIn = async ({ host, store }: ImageHost) =>
  (await listImages(host, store)).flatMap(({ names }) => names);

const copiesOf = ({ recording }: ImageHost, name: string) =>
  recording.commands().filter((line) => / copy --/.test(line) && line.includes(name)).length;

Deno.test("a pull begins when the reserve is free, and removes unused images before", async () => {
  await withImages(async (images) => {
    await pull(images, "a.example/old:1", 1);
    await pull(images, "a.example/recent:1", 0);
    images.freeBytes = (count) => count > 1 ? MIB - 1 : MIB;
    await pull(images, "a.example/new:1", 0);
    assert.deepEqual(await namesIn(images), ["a.example/recent:1", "a.example/new:1"]);

    images.freeBytes = () => MIB / 2;
    await assert.rejects(pull(images, "a.example/next:1", 0), {
      kind: "host",
      message:
        /^Cannot pull image a.example\/next:1: only 512 KiB are free at \S+, less than 1 MiB \(disk_reserve\)$/,
      hint: /image-remove/,
    });
    assert.equal(copiesOf(images, "next"), 0);
  });
});

Deno.test("a pull that fills the disk removes unused images, and tries again", async () => {
  await withImages(async (images) => {
    images.freeBytes = (count) => (4 - count) * MIB;
    await pull(images, "a.example/old:1", 2);
    await pull(images, "a.example/newer:1", 1);
    images.failures.push("writing blob: no space left on device");
    await pull(images, "a.example/new:1", 0);
    assert.equal(copiesOf(images, "new@"), 2);
    assert.deepEqual(await namesIn(images), ["a.example/newer:1", "a.example/new:1"]);
  });
});

Deno.test("a pull for which no disk can be freed fails with both sizes, and leaves no layers", async () => {
  await withImages(async (images) => {
    images.freeBytes = () => 4 * MIB;
    images.failures.push("no space left on device", "not used");
    await assert.rejects(pull(images, "a.example/new:1", 0), {
      kind: "host",
      message: /left on device: 4 MiB were free at \S+, of which 1 MiB stay free \(disk_reserve\)$/,
    });
    assert.deepEqual(images.failures, ["not used"]);
    assert.deepEqual(await images.host.files.list(`${images.store}/.images/pulls`), []);
  });
});
