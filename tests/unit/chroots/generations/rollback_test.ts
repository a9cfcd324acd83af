import assert from "node:assert/strict";
import { rollBack } from "../../../../src/chroots/generations/rollback.ts";
import { named, test } from "../fixture.ts";

test("rollBack() goes back to the previous generation, or to the one that is named", async (f) => {
  for (const number of [3, 4, 5]) await f.generation("x", number, { previous: number - 1 });
  assert.equal(await rollBack(f.context, named("x"), undefined), 4);
  assert.deepEqual(await f.generations("x"), [[3, 4, 5], 4]);
  assert.equal(await rollBack(f.context, named("x"), undefined), 3);
  await assert.rejects(rollBack(f.context, named("x"), undefined), {
    kind: "refused",
    message: "Cannot roll back chroot x: there is no earlier generation",
    hint: "Generations: 3, 4, 5; 3 is current",
  });
  assert.equal(await rollBack(f.context, named("x"), 5), 5);
  await assert.rejects(rollBack(f.context, named("x"), 5), /5 is current already/);
  await assert.rejects(rollBack(f.context, named("x"), 9), /there is no generation 9/);
});

test("rollBack() refuses a chroot without generations", async (f) => {
  await f.tree("x");
  await assert.rejects(rollBack(f.context, named("x"), undefined), { message: /no generations/ });
});

test("rollBack() restores a lost symlink before, and touches no other chroot", async (f) => {
  await f.generation("x", 1);
  await f.generation("x", 2, { previous: 1 });
  await f.generation("y", 1);
  for (const name of ["x", "y"]) await Deno.remove(`${f.folder}/store/${name}`);
  assert.equal(await rollBack(f.context, named("x"), undefined), 1);
  assert.deepEqual(await f.generations("y"), [[1], null]);
});
