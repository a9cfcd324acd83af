import assert from "node:assert/strict";
import { type CacheOwner, reserveFolders } from "../../../../src/machines/record/caches.ts";
import { evictFolders, evictionCandidates } from "../../../../src/machines/end/evict_caches.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { withOwnRun } from "../standalone_host.ts";
import { leaseOf } from "../fixture.ts";

const OWNER: CacheOwner = { server: "ba7816bf", project: "42", isProtected: true };
const DAY = 86_400_000;

Deno.test("claimFolders() shares a cache and gives each machine a builds folder of its own", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    const plan = { owner: OWNER, cache: "/cache", builds: "/builds" };
    const { folders, binds } = await reserveFolders(host, store, plan, 0);
    const [cache, builds] = folders;
    assert.equal(cache, `${store}/.cache/ba7816bf/42/protected`);
    assert.equal(builds, `${store}/.builds/ba7816bf/42/protected/0`);
    assert.deepEqual(binds, [
      { from: `${cache}/data`, to: "/cache", readOnly: false, sameOwners: true },
      { from: `${builds}/data`, to: "/builds", readOnly: false, sameOwners: true },
    ]);
    const mode = async (path: string) => (await Deno.stat(path)).mode! & 0o777;
    for (const { from } of binds) assert.equal(await mode(from), 0o755);
    // What a job leaves there is out of reach for all users of the host but root.
    for (const path of [cache!, `${store}/.cache`]) assert.equal(await mode(path), 0o700);
    await writeLease(host, leaseOf(store, "1", { folders }));
    const second = await reserveFolders(host, store, plan, 0);
    assert.deepEqual(second.folders.map((path) => path.split("/").at(-1)), ["protected", "1"]);
    const open = await reserveFolders(host, store, {
      ...plan,
      owner: { ...OWNER, isProtected: false },
    }, 0);
    assert.ok(open.folders.every((path) => path.includes("/unprotected")));
    const user = await reserveFolders(host, store, plan, 1000); // who could not write in root's
    assert.equal(user.folders[0], `${cache}-1000`);
    assert.equal(user.folders[1], `${store}/.builds/ba7816bf/42/protected-1000/0`);
    const alone = await reserveFolders(host, store, { ...plan, builds: undefined }, 0);
    assert.deepEqual(alone.folders, [cache]);
  });
});

Deno.test("spareFolders() takes what is old, and the least recently used above the size", async () => {
  await inFolder(async (store) => {
    const now = Date.UTC(2030, 0, 100);
    const host = withOwnRun(recordingHost({ now }).host, `${store}/run`);
    const sizes = recordingHost({
      now,
      answer: ([program]) =>
        program === "du" ? { stdout: paths.map((path) => `1000\t${path}\0`).join("") } : undefined,
    });
    const paths = ["1", "2", "3"].map((project) => `${store}/.cache/s/${project}/protected`);
    paths.push(`${store}/.builds/s/1/unprotected/0`);
    for (const [age, path] of paths.entries()) {
      await host.files.makeDirectory(path);
      await host.files.touch(path, now - age * DAY);
    }
    const spare = async (size: number, days: number) =>
      (await evictionCandidates(sizes.host, store, { size, age: days * 86_400 })).map(({ path }) =>
        path
      );
    assert.deepEqual(await spare(Infinity, 30), []);
    assert.deepEqual(await spare(Infinity, 1.5), paths.slice(2));
    assert.deepEqual(await spare(2000, 30), paths.slice(2));
    await writeLease(host, leaseOf(store, "1", { folders: [paths[3]!] }));
    assert.deepEqual(await spare(2000, 30), [paths[2]], "one is in use");
    await evictFolders(host, store, [{ path: paths[2]!, reason: "" }, {
      path: paths[3]!,
      reason: "",
    }]);
    assert.equal(await host.files.lstat(paths[2]!), null);
    assert.ok(await host.files.lstat(paths[3]!), "a job took it");
    assert.deepEqual(await host.files.list(`${store}/.cache`), ["s"]);
  });
});

Deno.test("removeFolders() finishes what was interrupted", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    await host.files.makeDirectory(`${store}/.builds/.leaving-x/deep`);
    await evictFolders(host, store, []);
    assert.deepEqual(await host.files.list(`${store}/.builds`), []);
  });
});
