import assert from "node:assert/strict";
import { tryLock } from "../../../../src/chroots/generations/lock.ts";
import { recoverStore } from "../../../../src/chroots/generations/recover.ts";
import { type Fixture, named, test } from "../fixture.ts";

const recover = ({ context: { host }, config }: Fixture) => recoverStore(host, config.store);

test("recoverStore() restores the symlink of a chroot to its newest generation", async (f) => {
  await f.generation("x", 1);
  await f.generation("x", 2);
  await Deno.remove(`${f.folder}/store/x`);
  await recover(f);
  assert.deepEqual(await f.generations("x"), [[1, 2], 2]);
  assert.match(f.err(), /^Chroot x is restored: /);
});

test("recoverStore() replaces a symlink to a generation that does not exist", async (f) => {
  await f.generation("x", 1);
  await f.generation("x", 2);
  await Deno.remove(`${f.folder}/store/.generations/x/2`, { recursive: true });
  await recover(f);
  assert.deepEqual(await f.generations("x"), [[1], 1]);
});

test("recoverStore() removes a symlink where no generation exists, and no symlink of others", async (f) => {
  await f.generation("x", 1);
  await Deno.remove(`${f.folder}/store/.generations/x`, { recursive: true });
  await Deno.symlink("nowhere", `${f.folder}/store/theirs`);
  await recover(f);
  const { host } = f.context;
  assert.equal(await host.files.lstat(`${f.folder}/store/x`), null);
  assert.equal((await host.files.lstat(`${f.folder}/store/theirs`))?.kind, "symlink");
});

test("recoverStore() leaves chroots alone that a process works on", async (f) => {
  await f.generation("x", 1);
  await Deno.remove(`${f.folder}/store/x`);
  await f.put("store/.making/x/root/usr/file");
  await f.put("store/.leaving/x~1/0/usr/file");
  const { host } = f.context;
  const lock = await tryLock(host, f.config.store, named("x"));
  try {
    await recover(f);
  } finally {
    lock?.release();
  }
  assert.equal(await host.files.lstat(`${f.folder}/store/x`), null);
  for (const path of [".making/x/root/usr/file", ".leaving/x~1/0/usr/file"]) {
    assert.ok(await host.files.lstat(`${f.folder}/store/${path}`), path);
  }
});
