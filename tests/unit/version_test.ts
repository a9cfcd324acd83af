import assert from "node:assert/strict";
import { VERSION } from "../../src/version.ts";

Deno.test("VERSION is the version that deno.json has", async () => {
  const text = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  assert.equal(VERSION, JSON.parse(text).version);
});
