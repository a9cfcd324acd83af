import assert from "node:assert/strict";
import { removeImageLeftovers } from "../../../../src/images/store/leftovers.ts";
import { obtainImage } from "../../../../src/images/store/obtain.ts";
import { pullPaths, recordPath } from "../../../../src/images/store/paths.ts";
import { NEVER, requestFor, withImages } from "./fixture.ts";

Deno.test("removeImageLeftovers() removes what killed processes left, unless an image is pulled", async () => {
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
    const pull = pullPaths(store, kept.id).folder;
    const waiting = await host.files.lock(`${pull}/job-1`);
    await removeImageLeftovers(host, store);
    assert.equal((await library()).length, 2, "a layer may be of the image that is pulled");
    assert.deepEqual(await host.files.list(`${store}/.images/pulls`), [kept.id]);
    await waiting?.remove();
    await removeImageLeftovers(host, store);
    assert.equal((await library()).length, 1);
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
