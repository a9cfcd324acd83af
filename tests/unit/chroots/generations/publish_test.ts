import assert from "node:assert/strict";
import { findTree } from "../../../../src/chroots/find/lookup.ts";
import { parseRecord, readRecord } from "../../../../src/chroots/generations/record.ts";
import { type Fixture, machine, named, recreateChroot, test } from "../fixture.ts";

const left = async ({ context: { host }, folder }: Fixture) => [
  ...await host.files.list(`${folder}/store/.making`),
  ...await host.files.list(`${folder}/store/.leaving`),
];

test("addGeneration() makes generation 0 of a directory that another program made", async (f) => {
  await f.tree("x");
  await recreateChroot(f.context, named("x"));
  assert.deepEqual(await f.generations("x"), [[0, 1], 1]);
  assert.equal(await f.mark(".generations/x/0"), "old");
  const record = await readRecord(f.context.host, f.config.store, named("x"), 1);
  assert.equal(record?.previous, 0);
});

test("addGeneration() does not move a tree from which a machine is being started", async (f) => {
  await f.tree("x");
  f.machines.push({ ...machine("x", `${f.folder}/store/x`), starting: true });
  let slept = 0;
  const sleep = () => {
    assert.equal(f.machines[0]?.starting, true);
    if (++slept === 3) f.machines.pop();
    return Promise.resolve();
  };
  const host = { ...f.context.host, clock: { ...f.context.host.clock, sleep } };
  await recreateChroot({ ...f.context, host }, named("x"));
  assert.equal(slept, 3);
  assert.deepEqual(await f.generations("x"), [[0, 1], 1]);
});

test("addGeneration() gives up where such a machine never starts, and points to gc", async (f) => {
  await f.tree("x");
  f.machines.push({ ...machine("x", `${f.folder}/store/x`), starting: true });
  await assert.rejects(recreateChroot(f.context, named("x")), { message: /run-1/, hint: /gc/ });
  assert.equal(await f.mark("x"), "old");
  assert.equal((await Deno.lstat(`${f.folder}/store/x`)).isSymlink, false);
});

/** The steps from a complete tree to the current generation, and how each is recognized. */
const SWITCHES: readonly (readonly [string, (method: string, path: string) => boolean])[] = [
  ["its record", (method, path) => method === "replace" && path.endsWith("/1.json")],
  ["the tree's move", (method, path) => method === "rename" && path.endsWith("/root")],
  ["the new link", (method, path) => method === "symlink" && path === ".generations/x/1"],
  ["the link's move", (method, path) => method === "rename" && path.endsWith("/.link")],
  [
    "the removal of older ones",
    (method, path) => method === "makeDirectory" && path.includes(".leaving/x~"),
  ],
];

for (const [step, isStep] of SWITCHES) {
  test(`addGeneration() that is killed at ${step} leaves a chroot that works`, async (f) => {
    await f.tree("x");
    const { host } = f.context;
    let killed = false;
    const files = new Proxy(host.files, {
      get: (all, method: string) => (...words: [string]) => {
        const act = all[method as "list"] as (...words: [string]) => Promise<string[]>;
        if (!killed && isStep(method, words[0])) killed = true;
        return killed ? Promise.reject(new Error("killed")) : act(...words);
      },
    });
    const config = { ...f.config, keep_generations: 1 };
    await assert.rejects(
      recreateChroot({ ...f.context, config, host: { ...host, files } }, named("x")),
    );
    assert.ok(killed);
    const found = await findTree(host, f.config.store, named("x"));
    const isNew = step === "the removal of older ones";
    assert.equal(found, `${f.folder}/store/.generations/x/${isNew ? 1 : 0}`);
    assert.equal(await Deno.readTextFile(`${found}/usr/mark`), isNew ? "new" : "old");
    await recreateChroot({ ...f.context, config }, named("x"));
    assert.equal((await f.generations("x"))[0].length, 1);
    assert.equal(await f.mark("x"), "new");
    assert.deepEqual(await left(f), []);
  });
}

Deno.test("parseRecord() reads a path with letters of any script, and no control characters", () => {
  const record = (origin: string) =>
    parseRecord({ version: 1, origin, made: "now", pin: null, recipe: null, image: null });
  assert.equal(record("tar:/srv/b\u00fccher/root.tar")?.origin, "tar:/srv/b\u00fccher/root.tar");
  assert.equal(record("tar:/srv/\u001b[2J"), null);
  assert.equal(record("tar:/srv/\u202e"), null);
});
