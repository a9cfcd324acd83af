import assert from "node:assert/strict";
import { removeChroot } from "../../../src/chroots/remove.ts";
import { tryLock } from "../../../src/chroots/lock.ts";
import { writeRecord } from "../../../src/chroots/record.ts";
import { machine, named, withStore } from "./fixture.ts";

Deno.test("removeChroot() removes the tree and its record, and leaves the definition", () =>
  withStore(async ({ work: { host, config, users }, tree, put, folder, mark }) => {
    await tree("x");
    await put("defs/x.toml");
    await writeRecord(host, config.store, named("x"), {
      version: 1,
      suite: "sid",
      size: 1,
      made: "",
    });
    await removeChroot(host, config, "x", users);
    assert.equal(await mark("x"), null);
    assert.deepEqual(await host.files.list(`${folder}/store/.leaving`), []);
    assert.deepEqual(await host.files.list(`${folder}/store/.chroots`), ["x.lock"]);
    assert.deepEqual(await host.files.list(`${folder}/defs`), ["x.toml"]);
  }));

Deno.test("removeChroot() refuses what is unknown or was never a chroot's name", () =>
  withStore(async ({ work: { host, config, users }, put, folder }) => {
    await put("store/file");
    await put("store/.making/killed/file");
    for (const image of ["unknown", "file", "..", ".making", "/etc", "", "a/../b"]) {
      await assert.rejects(removeChroot(host, config, image, users), { kind: "refused" }, image);
    }
    assert.ok(await host.files.stat(`${folder}/store/file`));
  }));

Deno.test("removeChroot() refuses while a machine is there, whatever its storage", () =>
  withStore(async ({ work: { host, config, users: ask }, tree, mark, users }) => {
    await tree("x");
    for (const storage of ["overlay", "btrfs"]) {
      users.splice(0, 1, machine("x", storage, "2029-01-01T00:00:00.000Z"));
      await assert.rejects(removeChroot(host, config, "x", ask), {
        kind: "refused",
        message: "Cannot remove chroot x: in use by run-1",
      });
    }
    users.splice(0, 1, machine("other", "overlay", "2029-01-01T00:00:00.000Z"));
    assert.equal(await mark("x"), "old");
    await removeChroot(host, config, "x", ask);
  }));

Deno.test("removeChroot() refuses a symlink, and while somebody works on the chroot", () =>
  withStore(async ({ work: { host, config, users }, tree, put, folder }) => {
    await tree("x");
    const lock = await tryLock(host, config.store, named("x"));
    try {
      await assert.rejects(removeChroot(host, config, "x", users), /process \d+ works on it/);
    } finally {
      lock?.release();
    }
    await put("elsewhere/usr/mark");
    await Deno.symlink(`${folder}/elsewhere`, `${folder}/store/link`);
    await assert.rejects(removeChroot(host, config, "link", users), /it is a symlink/);
    assert.ok(await host.files.stat(`${folder}/elsewhere/usr/mark`));
  }));

Deno.test("removeChroot() does not bring back what it removes, when it is killed on its way", () =>
  withStore(async ({ work: { host, config, users }, tree, folder, mark }) => {
    await tree("x");
    const files = { ...host.files, removeTree: () => Promise.reject(new Error("killed")) };
    await assert.rejects(removeChroot({ ...host, files }, config, "x", users), /killed/);
    assert.equal(await mark("x"), null);
    assert.equal((await host.files.list(`${folder}/store/.leaving`)).length, 1);
    await assert.rejects(removeChroot(host, config, "x", users), /no such chroot/);
    assert.deepEqual(await host.files.list(`${folder}/store/.leaving`), []);
  }));
