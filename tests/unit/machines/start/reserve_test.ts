/** Reservations: what is decided before the host-wide lock, and what under it. */

import assert from "node:assert/strict";
import { refused } from "../../../../src/failure.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import type { BaseTree, MachinePlan } from "../../../../src/machines/record/plan.ts";
import { prepareHost } from "../../../../src/machines/start/prepare_host.ts";
import { reserve } from "../../../../src/machines/start/reserve.ts";
import { type Answer, inFolder, type Recording } from "../../recording_host.ts";
import { leaseOf, planOf, SETTINGS } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const RESERVATION_LOCK = "/run/nspawn-runner/.taking.lock";
const quiet = new AbortController().signal;

/** A host on which every probe fails. */
function probedHost(folder: string, onTrial: (folder: string) => Promise<void>): Recording {
  return standaloneHost(folder, ([program, ...words]): Answer | Promise<Answer> | void => {
    if (program === "systemd-nspawn") return { stdout: "systemd 252 (252)\n" };
    if (program === "unshare") {
      return onTrial(words.at(-1)!).then(() => ({ code: 1, stderr: "control succeeded\n" }));
    }
  });
}

/** Makes trees with a user `ci`. */
async function treesIn(folder: string, ...names: string[]): Promise<string[]> {
  return await Promise.all(names.map(async (name) => {
    await Deno.mkdir(`${folder}/${name}/etc`, { recursive: true });
    await Deno.writeTextFile(`${folder}/${name}/etc/passwd`, "ci:x:1000:1000::/home/ci:/bin/sh\n");
    return `${folder}/${name}`;
  }));
}

/** Reserves a machine whose tree is what `treeAt` returns at each call, counted from 0. */
async function reserveWith(
  folder: string,
  treeAt: (call: number) => string | Promise<string>,
  { host }: Recording = probedHost(folder, () => Promise.resolve()),
) {
  let calls = 0;
  const base = await planOf(`${folder}/store`).tree();
  const tree = async (): Promise<BaseTree> => {
    const path = await treeAt(calls++);
    return { ...base, user: "ci", path, lower: treeAsLower(path) };
  };
  const plan: MachinePlan = planOf(`${folder}/store`, {
    tree,
    settings: { ...SETTINGS, storage: "auto", private_users: "auto", boot: false },
  });
  await host.files.makeDirectory(plan.store);
  const reservation = await reserve(host, plan, await prepareHost(host, plan, quiet), quiet);
  return { ...reservation, calls };
}

Deno.test("reserve() plans again where maintenance replaced the tree meanwhile", () =>
  inFolder(async (folder) => {
    const [old = "", current = ""] = await treesIn(folder, "old", "current");
    const { lease, tree, calls } = await reserveWith(folder, (call) => call === 0 ? old : current);
    assert.deepEqual([lease.chroot.path, tree.path], [current, current]);
    assert.equal(calls, 4, "once to plan and once under the lock, twice");
  }));

Deno.test("reserve() plans again where another tree took the path", () =>
  inFolder(async (folder) => {
    const [path = ""] = await treesIn(folder, "tree");
    const { calls } = await reserveWith(folder, async (call) => {
      if (call === 1) {
        await Deno.rename(path, `${folder}/old`); // so that its inode is not used again
        await treesIn(folder, "tree");
      }
      return path;
    });
    assert.equal(calls, 4);
  }));

Deno.test("reserve() plans again where maintenance removed the tree while it was planned", () =>
  inFolder(async (folder) => {
    const [removed = "", current = ""] = await treesIn(folder, "removed", "current");
    await Deno.remove(removed, { recursive: true }); // so that its user is unknown
    const { lease } = await reserveWith(folder, (call) => call === 0 ? removed : current);
    assert.deepEqual([lease.chroot.path, lease.user?.uid], [current, 1000]);
  }));

Deno.test("reserve() throws the failure of a plan whose tree is still there", () =>
  inFolder(async (folder) => {
    const [tree = ""] = await treesIn(folder, "tree");
    await Deno.writeTextFile(`${tree}/etc/passwd`, "");
    await assert.rejects(reserveWith(folder, () => tree), {
      kind: "refused",
      message: /user "ci"/,
    });
  }));

Deno.test("reserve() gives up where the tree is replaced again and again, and records nothing", () =>
  inFolder(async (folder) => {
    const recording = probedHost(folder, () => Promise.resolve());
    const treeAt = async (call: number) => (await treesIn(folder, `${call}`))[0]!;
    await assert.rejects(reserveWith(folder, treeAt, recording), {
      kind: "host",
      message: /replaced during each of 10 attempts/,
    });
    assert.deepEqual(await recording.host.files.list(`${folder}/store/.leases`), []);
  }));

Deno.test("reserve() tries what the host can do without the host-wide lock, and before it writes a lease", () =>
  inFolder(async (folder) => {
    const tried: string[] = [];
    const [tree = ""] = await treesIn(folder, "tree");
    const { lease } = machinePaths(`${folder}/store`, planOf("").name);
    const recording = probedHost(folder, async (probeFolder) => {
      tried.push(probeFolder);
      const lock = await recording.host.files.lock(RESERVATION_LOCK);
      assert.ok(lock !== null, "no probe holds up other machines");
      lock.release();
      assert.equal(await recording.host.files.lstat(lease), null);
    });
    await reserveWith(folder, () => tree, recording);
    assert.ok(tried.length >= 2, "an overlay, and the owners of files");
    assert.notEqual(await recording.host.files.lstat(lease), null);
    const before = tried.length;
    await reserveWith(folder, () => tree, recording);
    assert.equal(tried.length, before, "once a boot");
  }));

Deno.test("reserve() refuses a store that another host uses", () =>
  inFolder(async (folder) => {
    const [tree = ""] = await treesIn(folder, "tree");
    const recording = probedHost(folder, () => Promise.resolve());
    const { host } = recording;
    const read = host.files.read;
    const files = {
      ...host.files,
      read: (path: string) => path === "/etc/machine-id" ? Promise.resolve("this\n") : read(path),
    };
    const own = { ...recording, host: { ...host, files } };
    const foreign = leaseOf(`${folder}/store`, "7", {
      host: "another",
      deadline: "2040-01-01T00:00:00.000Z",
    });
    await writeLease(host, { ...foreign, host: "this", boot: "boot-1" });
    const { lease } = await reserveWith(folder, () => tree, own);
    assert.equal(lease.host, "this");
    await writeLease(host, foreign);
    await assert.rejects(reserveWith(folder, () => tree, own), {
      kind: "host",
      message: /Cannot use store .*: another host has machine run-7 in it$/,
      hint: /If that host is gone: rm .*run-7.json$/,
    });
  }));

Deno.test("reserve() asks for an image again that was removed meanwhile, and never under the lock", () =>
  inFolder(async (folder) => {
    const [first = "", second = ""] = await treesIn(folder, "first", "second");
    const { host } = probedHost(folder, () => Promise.resolve());
    const base = await planOf(`${folder}/store`).tree();
    const asked: string[] = [];
    const plan = planOf(`${folder}/store`, {
      async tree() {
        const path = asked.length === 0 ? first : second;
        asked.push(path);
        if (path === second) await Deno.remove(first, { recursive: true });
        return { ...base, path, lower: { folder: "/layers", layers: ["top", "base"] } };
      },
      settings: { ...SETTINGS, storage: "tmpfs", private_users: "off", boot: false },
      onUnconfined: async ({ path }) => {
        if (path === first) await Deno.rename(first, `${first}.removed`);
        if (path === first) await Deno.mkdir(first); // it was pulled again meanwhile
      },
    });
    await host.files.makeDirectory(plan.store);
    const { lease } = await reserve(host, plan, await prepareHost(host, plan, quiet), quiet);
    assert.deepEqual(asked, [first, second]);
    assert.deepEqual(lease.chroot.lower, { folder: "/layers", layers: ["top", "base"] });
  }));

Deno.test("reserve() lets the plan refuse a booted machine without a user namespace", () =>
  inFolder(async (folder) => {
    const [path = ""] = await treesIn(folder, "tree");
    for (const program of ["usr/lib/systemd/systemd", "usr/bin/dbus-daemon"]) {
      await Deno.mkdir(`${path}/${program}`, { recursive: true });
    }
    const { host } = probedHost(folder, () => Promise.resolve());
    const own = await planOf(`${folder}/store`).tree();
    const base = { ...own, path, lower: treeAsLower(path) };
    await host.files.makeDirectory(`${folder}/store`);
    for (const isRefused of [true, false]) {
      const plan = planOf(`${folder}/store`, {
        tree: () => Promise.resolve(base),
        settings: { ...SETTINGS, storage: "tmpfs", private_users: "off", boot: true },
        onUnconfined(tree, isBooted) {
          assert.deepEqual([tree.path, isBooted], [path, true]);
          if (isRefused) throw refused("Cannot boot this");
        },
      });
      const reserved = reserve(host, plan, await prepareHost(host, plan, quiet), quiet);
      if (isRefused) {
        await assert.rejects(reserved, { kind: "refused", message: "Cannot boot this" });
      } else assert.equal((await reserved).lease.booted, true);
    }
  }));

Deno.test("reserve() plans again where maintenance removed the helper root meanwhile", () =>
  inFolder(async (folder) => {
    const [path = "", old = "", current = ""] = await treesIn(folder, "tree", "old", "current");
    const { host } = probedHost(folder, () => Promise.resolve());
    const own = await planOf(`${folder}/store`).tree();
    const base = { ...own, path, lower: treeAsLower(path) };
    let calls = 0;
    const plan = planOf(`${folder}/store`, {
      async tree() {
        if (calls++ === 1) await Deno.remove(old, { recursive: true });
        return { ...base, helper: { path: calls > 2 ? current : old, runner: null, binds: [] } };
      },
      settings: { ...SETTINGS, storage: "tmpfs", private_users: "off", boot: false },
    });
    await host.files.makeDirectory(plan.store);
    const { lease } = await reserve(host, plan, await prepareHost(host, plan, quiet), quiet);
    assert.equal(lease.helper, current);
  }));
