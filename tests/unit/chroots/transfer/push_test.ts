import assert from "node:assert/strict";
import { pushChroot } from "../../../../src/chroots/transfer/push.ts";
import { named, test } from "../fixture.ts";

for (
  const target of [
    "x",
    "x:1",
    "registry.example/x",
    "user@registry.example/x:1",
    "registry.example/X:1",
    "ci/x:1",
    "registry.example/x:1 --creds=a",
  ]
) {
  test(`pushChroot() refuses ${target}`, async (f) => {
    const chroot = {
      name: named("x"),
      path: "/x",
      generation: 1,
      image: null,
      own: [],
      service: null,
    };
    await assert.rejects(pushChroot(f.context, chroot, target), {
      kind: "refused",
      hint: /REGISTRY/,
    });
    assert.equal(f.processes.length, 0);
  });
}
