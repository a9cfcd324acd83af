import assert from "node:assert/strict";
import { removeImageLeftovers } from "../../../../src/images/store/leftovers.ts";
import { obtainImage } from "../../../../src/images/store/obtain.ts";
import { imagePaths, pullPaths, recordPath } from "../../../../src/images/store/paths.ts";
import { NEVER, requestFor, UNPACKED, withImages } from "./fixture.ts";

Deno.test("removeImageLeftovers() removes what killed processes left, but no layers that may be a pull's", async () => {
  await withImages(async ({ host, config, store, registry, library }) => {
    const password = "/run/nspawn-runner/.images/auth-old";
    await removeImageLeftovers(host, store); // there is nothing yet
    registry["a.example/kept:1"] = '{"kept":1}';
    registry["a.example/lost:1"] = '{"lost":1}';
    const kept = await obtainImage(host, config, requestFor("a.example/kept:1"), NEVER);
    const lost = await obtainImage(host, config, requestFor("a.example/lost:1"), NEVER);
    await host.files.remove(recordPath(store, lost.id));
    await host.files.write(password, "secret");
    await host.files.makeDirectory(`${pullPaths(store, lost.id).scratch}/x`);
    const { folder: pull, boot } = pullPaths(store, kept.id);
    const waiting = await host.files.lock(`${pull}/job-1`);
    await host.files.write(boot, "this-boot\n");
    await host.files.touch(boot, Date.parse(UNPACKED) - 1000);
    await removeImageLeftovers(host, store);
    assert.equal((await library()).length, 2, "the layer is younger than the pull");
    assert.deepEqual(await host.files.list(`${store}/.images/pulls`), [kept.id]);
    await host.files.touch(boot, Date.parse(UNPACKED) + 1000);
    await removeImageLeftovers(host, store);
    assert.equal((await library()).length, 1, "the layer is older than the pull");
    await waiting?.remove();
    await removeImageLeftovers(host, store);
    const listed = (folder: string) => host.files.list(`${store}/.images/${folder}`);
    assert.deepEqual(await listed("facts"), [kept.id]);
    assert.equal((await listed("names")).length, 1);
    assert.deepEqual(await listed("pulls"), []);
    assert.equal(await host.files.lstat(password), null);
    assert.equal(
      (await obtainImage(host, config, requestFor("a.example/kept:1"), NEVER)).id,
      kept.id,
    );
  });
});

Deno.test("removeImageLeftovers() keeps layers that another version of the program has recorded", async () => {
  await withImages(async ({ host, config, store, registry, library }) => {
    registry["a.example/x:1"] = "{}";
    const { id } = await obtainImage(host, config, requestFor("a.example/x:1"), NEVER);
    const path = recordPath(store, id);
    const record = JSON.parse(await host.files.read(path) ?? "");
    await host.files.write(path, JSON.stringify({ ...record, version: 2 }));
    await removeImageLeftovers(host, store);
    assert.equal((await library()).length, 1);
    await host.files.write(path, "damaged");
    await removeImageLeftovers(host, store);
    assert.equal((await library()).length, 0);
  });
});

Deno.test("a pull that waits for a removal can be interrupted", async () => {
  await withImages(async ({ host, config, store, registry }) => {
    registry["a.example/x:1"] = "{}";
    const { folder, lock } = imagePaths(store);
    await host.files.makeDirectory(folder);
    const held = await host.files.lock(lock);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(
      obtainImage(host, config, requestFor("a.example/x:1"), controller.signal),
      { kind: "host", message: /interrupted/ },
    );
    held?.release();
    await obtainImage(host, config, requestFor("a.example/x:1"), NEVER);
  });
});

Deno.test("a pull first removes layers that a pull of an earlier boot left", async () => {
  await withImages(async ({ host, recording, config, store, registry, library, forget }) => {
    registry["a.example/x:1"] = '{"x":1}';
    const { id } = await obtainImage(host, config, requestFor("a.example/x:1"), NEVER);
    await host.files.remove(recordPath(store, id));
    await forget();
    const layers = () => host.files.read(`${store}/.images/storage/overlay-layers/layers.json`);
    assert.equal(JSON.parse(await layers() ?? "").length, 2);
    await host.files.write(pullPaths(store, id).boot, "another-boot\n");
    registry["a.example/y:1"] = '{"y":1}';
    await obtainImage(host, config, requestFor("a.example/y:1"), NEVER);
    assert.match(recording.err(), /leftovers of image pulls that a reboot/);
    assert.equal((await library()).length, 1);
    assert.equal(await host.files.lstat(pullPaths(store, id).boot), null);
    const commands = recording.commands().filter((line) => /loose|delete/.test(line));
    assert.equal(commands.length, 2, "an image of the loose layers, which is deleted");
  });
});
