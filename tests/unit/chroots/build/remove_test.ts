import assert from "node:assert/strict";
import { removeChroot } from "../../../../src/chroots/build/remove.ts";
import { tryLock } from "../../../../src/chroots/generations/lock.ts";
import { machine, named, withStore } from "../fixture.ts";

Deno.test("removeChroot() removes all generations, and keeps the definition", () =>
  withStore(async ({ context: work, generation, put, folder, mark }) => {
    const { host } = work;
    await generation("x", 1);
    await generation("x", 2);
    await put("defs/x.toml");
    await removeChroot(work, "x", false);
    assert.equal(await mark("x"), null);
    assert.equal(await host.files.lstat(`${folder}/store/x`), null);
    for (const place of [".leaving", ".generations"]) {
      assert.deepEqual(await host.files.list(`${folder}/store/${place}`), []);
    }
    assert.deepEqual(await host.files.list(`${folder}/defs`), ["x.toml"]);
  }));

Deno.test("removeChroot() removes a directory that another program made", () =>
  withStore(async ({ context: work, tree, folder }) => {
    await tree("x");
    await removeChroot(work, "x", false);
    assert.equal(await work.host.files.lstat(`${folder}/store/x`), null);
    assert.deepEqual(await work.host.files.list(`${folder}/store/.leaving`), []);
  }));

Deno.test("removeChroot() refuses unknown chroots, and texts that are no name of a chroot", () =>
  withStore(async ({ context: work, put, folder }) => {
    await put("store/file");
    await put("store/.making/killed/file");
    for (
      const image of ["unknown", "file", "..", ".making", ".generations", "/etc", "", "a/../b"]
    ) {
      await assert.rejects(removeChroot(work, image, false), { kind: "refused" }, image);
    }
    assert.ok(await work.host.files.stat(`${folder}/store/file`));
  }));

Deno.test("removeChroot() refuses while a machine uses any generation, whatever its storage", () =>
  withStore(async ({ context: work, generation, mark, machines: users, folder }) => {
    await generation("x", 1);
    for (const storage of ["overlay", "btrfs"]) {
      users.splice(0, 1, machine("x", `${folder}/store/.generations/x/1`, storage));
      await assert.rejects(removeChroot(work, "x", false), {
        kind: "refused",
        message: "Cannot remove chroot x: in use by run-1",
        hint: /--when-idle/,
      });
    }
    users.splice(0, 1, machine("other", `${folder}/store/.generations/other/1`));
    assert.equal(await mark("x"), "mark 1");
    await removeChroot(work, "x", false);
  }));

Deno.test("removeChroot() waits with --when-idle until no machine uses the chroot", () =>
  withStore(async ({ context: work, generation, mark, machines: users, folder, err }) => {
    await generation("x", 1);
    users.push(machine("stable", `${folder}/store/.generations/x/1`)); // by another name
    let looks = 0;
    const sleep = async () => {
      assert.equal(await mark("x"), "mark 1");
      if (++looks === 3) users.pop();
    };
    const host = { ...work.host, clock: { ...work.host.clock, sleep } };
    await removeChroot({ ...work, host }, "x", true);
    assert.equal(looks, 3);
    assert.equal(await mark("x"), null);
    assert.equal(err(), "Waiting for run-1\nRemoved chroot x\n");
  }));

Deno.test("removeChroot() stops waiting when it is interrupted", () =>
  withStore(async ({ context: work, generation, mark, machines: users, folder, controller }) => {
    await generation("x", 1);
    users.push(machine("stable", `${folder}/store/.generations/x/1`)); // by another name
    const sleep = () => Promise.resolve(controller.abort());
    const host = { ...work.host, clock: { ...work.host.clock, sleep } };
    await assert.rejects(removeChroot({ ...work, host }, "x", true), /interrupted/);
    assert.equal(await mark("x"), "mark 1");
  }));

Deno.test("removeChroot() refuses a symlink, and a chroot that another process works on", () =>
  withStore(async ({ context: work, tree, put, folder }) => {
    await tree("x");
    const lock = await tryLock(work.host, work.config.store, named("x"));
    try {
      await assert.rejects(removeChroot(work, "x", false), /process \d+ works on it/);
    } finally {
      lock?.release();
    }
    await put("elsewhere/usr/mark");
    await Deno.symlink(`${folder}/elsewhere`, `${folder}/store/link`);
    await assert.rejects(removeChroot(work, "link", false), /it is a symlink/);
    assert.ok(await work.host.files.stat(`${folder}/elsewhere/usr/mark`));
  }));

for (const step of ["its link", "its trees"]) {
  Deno.test(`removeChroot() that is killed at ${step} does not restore the chroot afterwards`, () =>
    withStore(async ({ context: work, generation, folder, mark }) => {
      const { host } = work;
      await generation("x", 1);
      const killed = () => Promise.reject(new Error("killed"));
      const files = { ...host.files, ...(step === "its link" ? { remove: killed } : {}) };
      const capture: typeof host.processes.capture = (argv, options) =>
        argv[0] === "rm" && step !== "its link" ? killed() : host.processes.capture(argv, options);
      const dying = { ...host, files, processes: { ...host.processes, capture } };
      await assert.rejects(removeChroot({ ...work, host: dying }, "x", false), /killed/);
      assert.equal(await mark("x"), null);
      assert.equal((await host.files.list(`${folder}/store/.leaving`)).length, 1);
      await assert.rejects(removeChroot(work, "x", false), /no such chroot/);
      assert.deepEqual(await host.files.list(`${folder}/store/.leaving`), []);
      assert.equal(await host.files.lstat(`${folder}/store/x`), null);
    }));
}

Deno.test("removeChroot() removes the new symlink that a killed switch left", () =>
  withStore(async ({ context: work, generation, folder }) => {
    await generation("x", 1);
    await Deno.symlink(".generations/x/2", `${folder}/store/.generations/x/.link`);
    await removeChroot(work, "x", false);
    assert.deepEqual(await work.host.files.list(`${folder}/store/.leaving`), []);
  }));
