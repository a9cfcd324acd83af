import assert from "node:assert/strict";
import {
  moveFoldersAside,
  planEviction,
  unusedFolders,
} from "../../../../src/machines/end/evict_caches.ts";
import { listRemovals } from "../../../../src/machines/end/removal.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { withOwnRun } from "../standalone_host.ts";
import { leaseOf } from "../fixture.ts";

const DAY = 86_400_000;

Deno.test("planEviction() finds old folders, and the least recently used above the size", async () => {
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
    const candidates = async (size: number, days: number) =>
      (await planEviction(sizes.host, store, { size, age: days * 86_400 })).candidates
        .map(({ path }) => path);
    const { kept } = await planEviction(sizes.host, store, { size: 2000, age: 30 * 86_400 });
    assert.equal(kept, 2000);
    assert.deepEqual(await candidates(Infinity, 30), []);
    assert.deepEqual(await candidates(Infinity, 1.5), paths.slice(2));
    assert.deepEqual(await candidates(2000, 30), paths.slice(2));
    await writeLease(host, leaseOf(store, "1", { folders: [paths[3]!] }));
    assert.deepEqual(await candidates(2000, 30), [paths[2]], "one is in use");
    assert.deepEqual((await unusedFolders(host, store)).map(({ path }) => path), [
      paths[2],
      paths[1],
      paths[0],
    ]);
    const at = (index: number, used = now - index * DAY) => ({
      path: paths[index]!,
      reason: "",
      used,
    });
    const moved = await moveFoldersAside(host, store, [at(1, now - 2 * DAY), at(2), at(3)]);
    assert.ok(await host.files.lstat(paths[1]!), "a job used it since, and has ended");
    assert.equal(await host.files.lstat(paths[2]!), null);
    assert.ok(await host.files.lstat(paths[3]!), "a job took it");
    assert.equal(moved.length, 1);
    assert.match(moved[0]!, new RegExp(`/\\.cache/\\.leaving-[-0-9a-f]+-${now}$`));
    assert.deepEqual(await listRemovals(host, store), moved);
    assert.deepEqual(await candidates(0, 0), [paths[1], paths[0]].reverse(), "no removal is one");
  });
});

Deno.test("planEviction() finds the caches of pipelines without GitLab, too", async () => {
  await inFolder(async (store) => {
    const now = Date.UTC(2030, 0, 100);
    const host = withOwnRun(recordingHost({ now }).host, `${store}/run`);
    const [old, used] = ["old", "used"].map((key) => `${store}/.pipelines/caches/copy/${key}`);
    for (const path of [old!, used!]) await host.files.makeDirectory(path);
    await host.files.touch(old!, now - 40 * DAY);
    await host.files.touch(used!, now);
    const { candidates } = await planEviction(host, store, { size: Infinity, age: 30 * 86_400 });
    assert.deepEqual(candidates.map(({ path }) => path), [old]);
    const [moved] = await moveFoldersAside(host, store, candidates);
    assert.match(moved!, /\/\.pipelines\/caches\/\.leaving-/);
    assert.deepEqual(await listRemovals(host, store), [moved]);
  });
});
