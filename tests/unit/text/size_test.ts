import assert from "node:assert/strict";
import { asSize } from "../../../src/text/size.ts";

Deno.test("asSize() rounds, but not to 0", () => {
  assert.equal(asSize(1), "1 KiB");
  assert.equal(asSize(300 * 1024 ** 2), "300 MiB");
  assert.equal(asSize(1.5 * 1024 ** 3), "1.5 GiB");
});
