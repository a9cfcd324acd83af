import assert from "node:assert/strict";
import { pullHint } from "../../../../src/images/request/permission.ts";

Deno.test("pullHint() has the line that allows the image, or the one that excludes it", () => {
  const hint = (pull: readonly string[], image: string) =>
    pullHint({ pull, file: "config.toml" }, image);
  assert.equal(
    hint(["a.example/*"], "b.example/x:1"),
    'To let jobs pull it: pull = ["a.example/*", "b.example/x:*"] in config.toml',
  );
  assert.equal(
    hint(["!b.example/**"], "b.example/x:1"),
    'It is excluded by pull = ["!b.example/**"] in config.toml',
  );
  assert.match(hint([], "No Image"), /^Name an image of a registry/);
});
