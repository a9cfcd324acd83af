import assert from "node:assert/strict";
import { type CacheOwner, reserveFolders } from "../../../../src/machines/record/caches.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";

const ROOT = { cache: 0, builds: 0 };
const OWNER: CacheOwner = { server: "ba7816bf", project: "42", refs: "protected" };

Deno.test("reserveFolders() shares a cache and gives each machine a builds folder of its own", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    const plan = { owner: OWNER, cache: "/cache", builds: "/builds" };
    const { folders, binds } = await reserveFolders(host, store, plan, ROOT);
    const [cache, builds] = folders;
    assert.equal(cache, `${store}/.cache/ba7816bf/42/protected`);
    assert.equal(builds, `${store}/.builds/ba7816bf/42/protected/0`);
    assert.deepEqual(binds, [
      { from: `${cache}/data`, to: "/cache", readOnly: false, keepsDiskOwners: true },
      { from: `${builds}/data`, to: "/builds", readOnly: false, keepsDiskOwners: true },
    ]);
    const mode = async (path: string) => (await Deno.stat(path)).mode! & 0o777;
    for (const { from } of binds) assert.equal(await mode(from), 0o755);
    // What a job leaves there is out of reach for all users of the host but root.
    for (const path of [cache!, `${store}/.cache`]) assert.equal(await mode(path), 0o700);
    await writeLease(host, leaseOf(store, "1", { folders }));
    const second = await reserveFolders(host, store, plan, ROOT);
    assert.deepEqual(second.folders.map((path) => path.split("/").at(-1)), ["protected", "1"]);
    const open = await reserveFolders(host, store, {
      ...plan,
      owner: { ...OWNER, refs: "unprotected" },
    }, ROOT);
    assert.ok(open.folders.every((path) => path.includes("/unprotected")));
    // Who could not write in root's.
    const user = await reserveFolders(host, store, plan, { cache: 1000, builds: 1000 });
    assert.equal(user.folders[0], `${cache}-1000`);
    assert.equal(user.folders[1], `${store}/.builds/ba7816bf/42/protected-1000/0`);
    const inHelper = await reserveFolders(host, store, plan, { cache: 0, builds: 1000 });
    assert.deepEqual(inHelper.folders, [cache, user.folders[1]]);
    const alone = await reserveFolders(host, store, { ...plan, builds: undefined }, ROOT);
    assert.deepEqual(alone.folders, [cache]);
  });
});
