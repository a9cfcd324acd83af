import assert from "node:assert/strict";
import { findImages } from "../../../../src/images/store/find.ts";
import { obtainImage } from "../../../../src/images/store/obtain.ts";
import { listIds, listImages } from "../../../../src/images/store/record.ts";
import { finishImageRemovals, removeImage } from "../../../../src/images/store/remove.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { leaseOf } from "../../machines/fixture.ts";
import { NEVER, requestFor, withImages } from "./fixture.ts";

Deno.test("removeImage() removes no image that a machine uses", async () => {
  await withImages(async ({ host, config, store, registry, library }) => {
    registry["a.example/x:1"] = '{"x":1}';
    const { id, path } = await obtainImage(host, config, requestFor("a.example/x:1"), NEVER);
    const chroot = { name: "x", path, lower: treeAsLower(path) };
    await writeLease(host, leaseOf(store, "5", { chroot }));
    assert.deepEqual(await removeImage(host, store, id), ["run-5"]);
    assert.deepEqual(await listIds(host, store), [id]);
    await host.files.removeTree(`${store}/.leases`);
    assert.equal(await removeImage(host, store, id), null);
    assert.deepEqual(await listIds(host, store), []);
    assert.deepEqual(await library(), []);
    assert.equal(await host.files.lstat(path), null);
    assert.deepEqual(await host.files.list(`${store}/.images/names`), []);
    assert.deepEqual(await host.files.list(`${store}/.images/removals`), []);
  });
});

Deno.test("a removal that was killed at any moment leaves no image for machines, and gc finishes it", async () => {
  for (const killedAt of [1, 2]) {
    await withImages(async ({ host, config, store, registry, library }) => {
      const request = requestFor("a.example/x:1");
      registry["a.example/x:1"] = '{"x":1}';
      const { id, path } = await obtainImage(host, config, request, NEVER);
      let moves = 0;
      const rename = (from: string, to: string) =>
        ++moves > killedAt - 1 ? Promise.reject(new Error("killed")) : host.files.rename(from, to);
      const dying = { ...host, files: { ...host.files, rename } };
      await assert.rejects(removeImage(dying, store, id), /killed/);
      const isThere = await host.files.lstat(path) !== null;
      assert.equal(isThere, killedAt === 1, "a machine that is planned sees it by the facts");
      assert.equal((await listImages(host, store)).length, isThere ? 1 : 0);
      assert.equal((await library()).length, 1);
      await finishImageRemovals(host, store);
      assert.equal((await library()).length, isThere ? 1 : 0);
      assert.deepEqual(await listIds(host, store), isThere ? [id] : []);
      assert.equal((await obtainImage(host, config, request, NEVER)).id, id);
      assert.equal((await listImages(host, store)).length, 1);
    });
  }
});

Deno.test("removeImage() keeps the layers of an image that another name has as well", async () => {
  await withImages(async ({ host, config, store, registry, library }) => {
    registry["a.example/x:1"] = '{"x":1}';
    const [one, other] = [null, "linux/amd64"].map((platform) =>
      requestFor("a.example/x:1", { platform })
    );
    const first = await obtainImage(host, config, one!, NEVER);
    await obtainImage(host, config, other!, NEVER);
    assert.equal((await listImages(host, store)).length, 2);
    const [hash] = await library();
    // Both are made of one configuration here, as two lists of manifests may be.
    for (const file of await host.files.list(`${store}/.images/records`)) {
      const path = `${store}/.images/records/${file}`;
      const record = JSON.parse(await host.files.read(path) ?? "");
      await host.files.write(path, JSON.stringify({ ...record, library: hash }));
    }
    await removeImage(host, store, first.id);
    assert.ok((await library()).includes(hash!));
    const [rest] = await findImages(host, store, "a.example/x:1");
    await removeImage(host, store, rest!.id);
    assert.ok(!(await library()).includes(hash!));
  });
});

Deno.test("findImages() finds images by name and by digest", async () => {
  await withImages(async ({ host, config, store, registry }) => {
    registry["docker.io/library/ruby:latest"] = "{}";
    const { digest } = await obtainImage(host, config, requestFor("ruby"), NEVER);
    const digests = async (text: string) =>
      (await findImages(host, store, text)).map((image) => image.digest);
    for (const text of ["ruby", "docker.io/library/ruby:latest", digest, digest.slice(7, 15)]) {
      assert.deepEqual(await digests(text), [digest], text);
    }
    for (const text of ["ruby:3", digest.slice(7, 10), "", `${digest.slice(0, -1)}x`]) {
      await assert.rejects(digests(text), /Cannot find image/);
    }
  });
});
