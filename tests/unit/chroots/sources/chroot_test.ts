import assert from "node:assert/strict";
import { maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import { named, test } from "../fixture.ts";

test("maintainChroot() rebuilds a chroot when the chroot that it extends has a new generation", async (f) => {
  await f.generation("base", 1);
  await f.put("defs/x.toml", 'extends = "base"');
  assert.equal(await maintainChroot(f.context, named("x")), "created");
  assert.equal(await f.mark("x"), "mark 1");
  assert.equal(await maintainChroot(f.context, named("x")), "nothing to do");
  await f.generation("base", 2);
  assert.equal(await maintainChroot(f.context, named("x")), "recreated");
  assert.equal(await f.mark("x"), "mark 2");
});

test("maintainChroot() refuses definitions that extend each other, and a base that does not exist", async (f) => {
  for (const [name, base] of [["a", "b"], ["b", "c"], ["c", "a"]]) {
    await f.put(`defs/${name}.toml`, `extends = "${base}"`);
  }
  await assert.rejects(maintainChroot(f.context, named("a")), {
    message: /definitions extend each other/,
    hint: "a extends b extends c extends a",
  });
  await f.put("defs/c.toml", 'extends = "none"');
  await assert.rejects(maintainChroot(f.context, named("c")), { hint: /chroot-create none/ });
});
