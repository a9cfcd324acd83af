import assert from "node:assert/strict";
import { addGeneration } from "../../../../src/chroots/generations/publish.ts";
import { rollBack } from "../../../../src/chroots/generations/rollback.ts";
import { machine, named, recreateChroot, test } from "../fixture.ts";

test("prune() keeps keep_generations generations, and those that machines use", async (f) => {
  for (const number of [1, 2, 3, 4]) await f.generation("x", number, { previous: number - 1 });
  f.machines.push(machine("x", `${f.folder}/store/.generations/x/2`));
  await recreateChroot(f.context, named("x"));
  assert.deepEqual(await f.generations("x"), [[2, 4, 5], 5]);
  f.machines.pop();
  await recreateChroot({ ...f.context, config: { ...f.config, keep_generations: 3 } }, named("x"));
  assert.deepEqual(await f.generations("x"), [[4, 5, 6], 6]);
  await recreateChroot({ ...f.context, config: { ...f.config, keep_generations: 1 } }, named("x"));
  assert.deepEqual(await f.generations("x"), [[7], 7]);
  assert.deepEqual(await f.context.host.files.list(`${f.folder}/store/.generations/x`), [
    "7",
    "7.json",
  ]);
});

test("prune() keeps generation 0 for a machine that started before the directory became one", async (f) => {
  await f.tree("x");
  f.machines.push(machine("x", `${f.folder}/store/x`));
  const config = { ...f.config, keep_generations: 1 };
  await recreateChroot({ ...f.context, config }, named("x"));
  assert.deepEqual(await f.generations("x"), [[0, 1], 1]);
  f.machines.pop();
  await recreateChroot({ ...f.context, config }, named("x"));
  assert.deepEqual(await f.generations("x"), [[2], 2]);
});

test("prune() after a rollback keeps the good generation, and removes the bad one", async (f) => {
  for (const number of [3, 4]) await f.generation("x", number, { previous: number - 1 });
  await rollBack(f.context, named("x"), undefined);
  await f.tree(".making/x/root", "newest");
  const made = { origin: "sid", pin: null, stranger: null, recipe: null, image: null };
  assert.equal(await addGeneration(f.context, named("x"), { ...made, size: 1, made: "2030" }), 5);
  assert.deepEqual(await f.generations("x"), [[3, 5], 5]);
});
