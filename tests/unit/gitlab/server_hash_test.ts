import assert from "node:assert/strict";
import { serverHash } from "../../../src/gitlab/server_hash.ts";

Deno.test("serverHash() is 32 hexadecimal digits of SHA-256", async () => {
  assert.equal(await serverHash("abc"), "ba7816bf8f01cfea414140de5dae2223");
  assert.notEqual(await serverHash("https://a.example"), await serverHash("https://b.example"));
});
