import assert from "node:assert/strict";
import { obtainImage } from "../../../../src/images/store/obtain.ts";
import { removeImage } from "../../../../src/images/store/remove.ts";
import { asJson, asLines, asTable, describeImages } from "../../../../src/images/store/table.ts";
import { NEVER, requestFor, withImages } from "./fixture.ts";

Deno.test("an image is a whole tree where the store is on an overlay", async () => {
  await withImages(async ({ host, recording, config, store, registry }) => {
    registry["a.example/x:1"] = '{"x":1}';
    const asked = requestFor("a.example/x:1", { platform: "linux/arm64/v8" });
    const image = await obtainImage(host, config, asked, NEVER);
    assert.deepEqual(image.lower, {
      folder: `${store}/.images/trees/${image.id}`,
      layers: ["."],
    });
    assert.equal(image.platform, "linux/arm64/v8");
    assert.equal(image.config.user, "ci");
    const copy = recording.commands().find((line) => line.includes(" copy "));
    assert.match(copy!, /--override-os=linux --override-arch=arm64 --override-variant=v8 copy /);
    assert.match(copy!, / --dest-compress-format=gzip .* oci:\S+\/scratch\/image:image$/);
    await removeImage(host, store, image.id);
    assert.deepEqual(await host.files.list(`${store}/.images/trees`), []);
  }, "overlayfs");
});

Deno.test("a list of images has their names, or their digests for scripts", async () => {
  await withImages(async ({ host, config, store, registry }) => {
    registry["a.example/x:1"] = "{}";
    const { digest } = await obtainImage(host, config, requestFor("a.example/x:1"), NEVER);
    const entries = await describeImages(host, store);
    assert.equal(asLines(entries), `${digest} a.example/x:1\n`);
    assert.deepEqual(JSON.parse(asJson(entries))[0].machines, []);
    const [, row] = asTable(entries, host.clock.now()).split("\n");
    assert.match(
      row!,
      new RegExp(`^a.example/x:1 +${digest.slice(7, 19)} +linux/amd64 +1 KiB +0s`),
    );
  });
});
