import assert from "node:assert/strict";
import { changeChroot } from "../../../../src/chroots/generations/change_chroot.ts";
import { ChrootFailure } from "../../../../src/chroots/generations/chroot_failure.ts";
import { isLocked, tryLock } from "../../../../src/chroots/generations/lock.ts";
import { hostFailure, refused } from "../../../../src/failure.ts";
import { named, test } from "../fixture.ts";

const X = named("x");

test("changeChroot() holds the lock meanwhile, and returns what the change returns", async (f) => {
  const { host, config: { store } } = f.context;
  const locked = await changeChroot(f.context, X, "update", () => isLocked(host, store, X));
  assert.equal(locked, true);
  assert.equal(await isLocked(host, store, X), false);
});

test("changeChroot() begins a failure with what could not be done, and keeps kind and hint", async (f) => {
  const failure = hostFailure("Cannot run tar: it ended with 2", "See above");
  await assert.rejects(changeChroot(f.context, X, "update", () => Promise.reject(failure)), {
    kind: "host",
    message: "Cannot update chroot x: cannot run tar: it ended with 2",
    hint: "See above",
  });
});

test("changeChroot() leaves a failure alone that names the chroot, and no other", async (f) => {
  const own = new ChrootFailure("refused", X, "Cannot move the tree of chroot x: reason");
  await assert.rejects(changeChroot(f.context, X, "update", () => Promise.reject(own)), own);
  const other = new ChrootFailure("refused", named("y"), "Cannot use chroot y: reason");
  await assert.rejects(changeChroot(f.context, X, "update", () => Promise.reject(other)), {
    message: "Cannot update chroot x: cannot use chroot y: reason",
  });
});

test("changeChroot() does not take a text for a chroot's name", async (f) => {
  const failure = refused("No file for chroot x: found");
  await assert.rejects(changeChroot(f.context, X, "update", () => Promise.reject(failure)), {
    message: "Cannot update chroot x: no file for chroot x: found",
  });
});

test("changeChroot() gives an interrupt as the reason, and leaves bugs alone", async (f) => {
  const bug = new TypeError("bug");
  await assert.rejects(changeChroot(f.context, X, "update", () => Promise.reject(bug)), bug);
  f.controller.abort();
  const failure = hostFailure("Cannot run tar: it ended with SIGKILL");
  await assert.rejects(changeChroot(f.context, X, "update", () => Promise.reject(failure)), {
    message: "Cannot update chroot x: interrupted",
  });
});

test("changeChroot() fails where another process holds the lock", async (f) => {
  const lock = await tryLock(f.context.host, f.config.store, X);
  try {
    await assert.rejects(changeChroot(f.context, X, "update", () => Promise.resolve()), {
      message: `Cannot change chroot x: process ${Deno.pid} works on it`,
    });
  } finally {
    lock?.release();
  }
});
