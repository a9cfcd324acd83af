import assert from "node:assert/strict";
import { removeChroot } from "../../../../src/chroots/build/remove.ts";
import { REMOVE_TREE_SCRIPT } from "../../../../src/linux/untrusted_tree.ts";
import { tryLock } from "../../../../src/chroots/generations/lock.ts";
import { machine, named, withStore } from "../fixture.ts";

Deno.test("removeChroot() removes all generations, and keeps the definition", () =>
  withStore(async ({ context, generation, put, folder, mark }) => {
    const { host } = context;
    await generation("x", 1);
    await generation("x", 2);
    await put("defs/x.toml");
    await removeChroot(context, "x", false);
    assert.equal(await mark("x"), null);
    assert.equal(await host.files.lstat(`${folder}/store/x`), null);
    for (const place of [".leaving", ".generations"]) {
      assert.deepEqual(await host.files.list(`${folder}/store/${place}`), []);
    }
    assert.deepEqual(await host.files.list(`${folder}/defs`), ["x.toml"]);
  }));

Deno.test("removeChroot() removes a directory that another program made", () =>
  withStore(async ({ context, tree, folder }) => {
    await tree("x");
    await removeChroot(context, "x", false);
    assert.equal(await context.host.files.lstat(`${folder}/store/x`), null);
    assert.deepEqual(await context.host.files.list(`${folder}/store/.leaving`), []);
  }));

Deno.test("removeChroot() refuses unknown chroots, and texts that are no name of a chroot", () =>
  withStore(async ({ context, put, folder }) => {
    await put("store/file");
    await put("store/.making/killed/file");
    for (
      const image of ["unknown", "file", "..", ".making", ".generations", "/etc", "", "a/../b"]
    ) {
      await assert.rejects(removeChroot(context, image, false), { kind: "refused" }, image);
    }
    assert.ok(await context.host.files.stat(`${folder}/store/file`));
  }));

Deno.test("removeChroot() refuses while a machine uses any generation, whatever its storage", () =>
  withStore(async ({ context, generation, mark, machines, folder }) => {
    await generation("x", 1);
    for (const storage of ["overlay", "btrfs"]) {
      machines.splice(0, 1, machine("x", `${folder}/store/.generations/x/1`, storage));
      await assert.rejects(removeChroot(context, "x", false), {
        kind: "refused",
        message: "Cannot remove chroot x: in use by run-1",
        hint: /--when-idle/,
      });
    }
    machines.splice(0, 1, {
      ...machine("x", `${folder}/store/.generations/x/1`),
      machine: "held-42",
    });
    await assert.rejects(removeChroot(context, "x", false), { hint: /shell 42 --done$/ });
    machines.splice(0, 1, machine("other", `${folder}/store/.generations/other/1`));
    assert.equal(await mark("x"), "mark 1");
    await removeChroot(context, "x", false);
  }));

Deno.test("removeChroot() waits with --when-idle until no machine uses the chroot", () =>
  withStore(async ({ context, generation, mark, machines, folder, err }) => {
    await generation("x", 1);
    machines.push(machine("stable", `${folder}/store/.generations/x/1`)); // by another name
    let looks = 0;
    const sleep = async () => {
      assert.equal(await mark("x"), "mark 1");
      if (++looks === 3) machines.pop();
    };
    const host = { ...context.host, clock: { ...context.host.clock, sleep } };
    await removeChroot({ ...context, host }, "x", true);
    assert.equal(looks, 3);
    assert.equal(await mark("x"), null);
    assert.equal(err(), "Waiting for run-1\nRemoved chroot x\n");
  }));

Deno.test("removeChroot() stops waiting when it is interrupted", () =>
  withStore(async ({ context, generation, mark, machines, folder, controller }) => {
    await generation("x", 1);
    machines.push(machine("stable", `${folder}/store/.generations/x/1`)); // by another name
    const sleep = () => Promise.resolve(controller.abort());
    const host = { ...context.host, clock: { ...context.host.clock, sleep } };
    await assert.rejects(removeChroot({ ...context, host }, "x", true), /interrupted/);
    assert.equal(await mark("x"), "mark 1");
  }));

Deno.test("removeChroot() refuses a symlink, and a chroot that another process works on", () =>
  withStore(async ({ context, tree, put, folder }) => {
    await tree("x");
    const lock = await tryLock(context.host, context.config.store, named("x"));
    try {
      await assert.rejects(removeChroot(context, "x", false), /process \d+ works on it/);
    } finally {
      lock?.release();
    }
    await put("elsewhere/usr/mark");
    await Deno.symlink(`${folder}/elsewhere`, `${folder}/store/link`);
    await assert.rejects(removeChroot(context, "link", false), /it is a symlink/);
    assert.ok(await context.host.files.stat(`${folder}/elsewhere/usr/mark`));
  }));

for (const step of ["its link", "its trees"]) {
  Deno.test(`removeChroot() that is killed at ${step} does not restore the chroot afterwards`, () =>
    withStore(async ({ context, generation, folder, mark }) => {
      const { host } = context;
      await generation("x", 1);
      const killed = () => Promise.reject(new Error("killed"));
      const files = { ...host.files, ...(step === "its link" ? { remove: killed } : {}) };
      const capture: typeof host.processes.capture = (argv, options) =>
        argv[2] === REMOVE_TREE_SCRIPT && step !== "its link"
          ? killed()
          : host.processes.capture(argv, options);
      const dying = { ...host, files, processes: { ...host.processes, capture } };
      await assert.rejects(removeChroot({ ...context, host: dying }, "x", false), /killed/);
      assert.equal(await mark("x"), null);
      assert.equal((await host.files.list(`${folder}/store/.leaving`)).length, 1);
      await assert.rejects(removeChroot(context, "x", false), /no such chroot/);
      assert.deepEqual(await host.files.list(`${folder}/store/.leaving`), []);
      assert.equal(await host.files.lstat(`${folder}/store/x`), null);
    }));
}

Deno.test("removeChroot() removes the new symlink that a killed switch left", () =>
  withStore(async ({ context, generation, folder }) => {
    await generation("x", 1);
    await Deno.symlink(".generations/x/2", `${folder}/store/.generations/x/.link`);
    await removeChroot(context, "x", false);
    assert.deepEqual(await context.host.files.list(`${folder}/store/.leaving`), []);
  }));
