import assert from "node:assert/strict";
import { cacheFolderName, cacheKeys } from "../../../../src/pipeline/job/cache_keys.ts";
import type { PipelineCache } from "../../../../src/pipeline/model.ts";
import { variablesFor } from "./fixture.ts";

const CACHE: PipelineCache = {
  key: "default",
  fallbackKeys: [],
  paths: [],
  untracked: false,
  policy: "pull-push",
  when: "on_success",
};

function keys(cache: Partial<PipelineCache>, variables: Record<string, string> = {}) {
  const snapshot = {
    hashFiles: (patterns: readonly string[]) =>
      Promise.resolve(patterns.includes("none") ? null : `hash-of-${patterns.join("+")}`),
  };
  return cacheKeys({ ...CACHE, ...cache }, variablesFor(variables), snapshot);
}

Deno.test("cacheKeys() expands keys, with those to fall back to", async () => {
  const variables = { REF: "x/y", CACHE_FALLBACK_KEY: "last" };
  assert.deepEqual(
    await keys({ key: "deps-$REF", fallbackKeys: ["deps-main", "$NONE", "deps-x/y"] }, variables),
    ["deps-x/y", "deps-main", "last"],
  );
  assert.deepEqual(await keys({ key: "$NONE" }), ["default"]);
});

Deno.test("cacheKeys() makes a key of the contents of files", async () => {
  const ofFiles = (files: string[], prefix: string) => keys({ key: { files, prefix } }, { P: "p" });
  assert.deepEqual(await ofFiles(["a", "$P"], ""), ["hash-of-a+p"]);
  assert.deepEqual(await ofFiles(["a"], "$P"), ["p-hash-of-a"]);
  assert.deepEqual(await ofFiles(["none"], "$P"), ["p-default"]);
});

Deno.test("cacheKeys() makes keys harmless as GitLab Runner does", async () => {
  for (
    const [key, expected] of [
      ["../../etc", "etc"],
      ["a\\b", "a/b"],
      ["%2e%2e%2Fx", "x"],
      ["a/ ", "a"],
      ["..", "default"],
    ] as const
  ) assert.deepEqual(await keys({ key }), [expected], key);
});

Deno.test("cacheFolderName() makes one name of any key", async () => {
  assert.equal(await cacheFolderName("a b/ü"), "a%20b%2F%C3%BC");
  assert.equal(await cacheFolderName("."), "%2E");
  assert.equal(await cacheFolderName("\ud800"), "%EF%BF%BD");
  const long = await cacheFolderName("x".repeat(300));
  assert.ok(long.length <= 200);
  assert.notEqual(long, await cacheFolderName("x".repeat(301)));
});
