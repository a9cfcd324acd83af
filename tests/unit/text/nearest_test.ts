import assert from "node:assert/strict";
import { nearest } from "../../../src/text/nearest.ts";

Deno.test("nearest() finds the word that a misspelt one means", () => {
  const words = ["id", "run", "prepare", "cleanup", "chroot-list", "chroot-login"];
  assert.equal(nearest("rnu", words), "run");
  assert.equal(nearest("preprae", words), "prepare");
  assert.equal(nearest("chroot_list", words), "chroot-list");
  assert.equal(nearest("run", words), "run");
  assert.equal(nearest("clea", words), "cleanup", "its beginning");
  assert.equal(nearest("chroot", words), "chroot-list", "the first of two");
  assert.equal(nearest("di", words), undefined);
  assert.equal(nearest("x", words), undefined);
  assert.equal(nearest("", words), undefined);
  assert.equal(nearest("something", words), undefined);
  assert.equal(nearest("run", []), undefined);
});
