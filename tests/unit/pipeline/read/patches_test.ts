import text from "gitlab-ci-local" with { type: "text" };
import assert from "node:assert/strict";
import { patchPackage } from "../../../../src/pipeline/read/patches.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("patchPackage() changes the pinned package", async () => {
  const patched = await patchPackage(encode(text));
  assert.match(patched, /nspawnRunner\.finish\(e\)/);
});

Deno.test("patchPackage() refuses any other text", async () => {
  for (const other of ["", text + "\n"]) {
    await assert.rejects(
      patchPackage(encode(other)),
      /^Failure: Cannot use gitlab-ci-local\.txt: its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}$/,
    );
  }
});
