import assert from "node:assert/strict";
import { strangerOf } from "../../../../src/chroots/generations/stranger.ts";
import { withStore } from "../fixture.ts";

/** Origins, and the strangers' source that they lead to. */
const ORIGINS: readonly (readonly [string, string | null])[] = [
  ["docker:x", "docker:x"],
  ["oci:/srv/x:1", "oci:/srv/x:1"],
  ["tar:/srv/x.tar", "tar:/srv/x.tar"],
  ["dir:/srv/x", null],
  ["bookworm", null],
  ["unknown", null],
  ["extends:image", "docker:y"],
  ["extends:middle", "docker:y"],
  ["extends:suite", null],
  ["extends:foreign", null],
  ["extends:gone", "extends:gone"],
  ["extends:ring", "extends:ring"],
  ["extends:../x", "extends:../x"],
];

Deno.test("strangerOf() follows chroots to an image, and trusts no chroot that is gone", () =>
  withStore(async (f) => {
    await f.generation("image", 1, { origin: "docker:y" });
    await f.generation("middle", 1, { origin: "extends:image" });
    await f.generation("suite", 1, { origin: "bookworm" });
    await f.generation("ring", 1, { origin: "extends:ring" });
    await f.tree("foreign");
    for (const [origin, stranger] of ORIGINS) {
      assert.equal(await strangerOf(f.context, origin), stranger, origin);
      const config = { ...f.config, trust_images: true };
      assert.equal(await strangerOf({ ...f.context, config }, origin), null, origin);
    }
  }));
