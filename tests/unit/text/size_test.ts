import assert from "node:assert/strict";
import { formatSize } from "../../../src/text/size.ts";

Deno.test("formatSize() rounds, but not to 0", () => {
  assert.equal(formatSize(1), "1 KiB");
  assert.equal(formatSize(300 * 1024 ** 2), "300 MiB");
  assert.equal(formatSize(1.5 * 1024 ** 3), "1.5 GiB");
});
