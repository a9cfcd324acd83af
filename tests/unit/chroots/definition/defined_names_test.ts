import assert from "node:assert/strict";
import { definedNames } from "../../../../src/chroots/definition/defined_names.ts";
import { test } from "../fixture.ts";

test("definedNames() has the helper root once it has been made", async (f) => {
  await f.put("defs/x.toml", "");
  const names = async () => [...await definedNames(f.context.host, f.config)].sort();
  assert.deepEqual(await names(), ["x"]);
  await f.generation("helper", 1);
  assert.deepEqual(await names(), ["helper", "x"]);
});
