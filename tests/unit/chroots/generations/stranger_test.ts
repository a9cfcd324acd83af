import assert from "node:assert/strict";
import { logIn } from "../../../../src/chroots/build/login.ts";
import { maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import { parseRecord, readRecord } from "../../../../src/chroots/generations/record.ts";
import { strangerOf } from "../../../../src/chroots/generations/stranger.ts";
import { type Fixture, named, test } from "../fixture.ts";

/** Returns the stranger in the record of a generation of x. */
const recorded = async ({ context: { host }, config: { store } }: Fixture, number: number) =>
  (await readRecord(host, store, named("x"), number))?.stranger;

test("strangerOf() reads the record of the generation that a path leads to", async (f) => {
  const { host } = f.context;
  await f.generation("image", 1, { origin: "docker:y", stranger: "docker:y" });
  await f.generation("suite", 1);
  await f.tree(".generations/foreign/0");
  await f.tree("foreign");
  await Deno.mkdir(`${f.folder}/elsewhere`);
  await Deno.symlink("image", `${f.folder}/store/link`);
  await Deno.symlink(`${f.folder}/store/link/usr`, `${f.folder}/elsewhere/deep`);
  const strangers = {
    "store/image": "docker:y",
    "store/link": "docker:y",
    "elsewhere/deep": "docker:y",
    "store/suite": null,
    "store/foreign": null,
    "store/.generations/foreign/0": null,
    elsewhere: null,
  };
  for (const [path, stranger] of Object.entries(strangers)) {
    const real = await host.files.real(`${f.folder}/${path}`);
    assert.equal(await strangerOf(host, real!), stranger, path);
  }
});

test("strangerOf() trusts no generation whose record is damaged or missing", async (f) => {
  const tree = `${f.folder}/store/.generations/x/1`;
  await f.generation("x", 1);
  assert.equal(await strangerOf(f.context.host, tree), null);
  await f.put("store/.generations/x/1.json", "{");
  assert.match(`${await strangerOf(f.context.host, tree)}`, /x\/1, which has no readable record$/);
  await Deno.remove(`${tree}.json`);
  assert.match(`${await strangerOf(f.context.host, tree)}`, /x\/1, which has no readable record$/);
});

Deno.test("parseRecord() takes the origin of early builds as the stranger, where it may be one", () => {
  const early = { version: 1, made: "2029", pin: null, recipe: null, image: null };
  const strangerFrom = (origin: string) => parseRecord({ ...early, origin })?.stranger;
  for (const origin of ["docker:x", "oci:/srv/x:1", "tar:/srv/x.tar", "extends:base"]) {
    assert.equal(strangerFrom(origin), origin);
  }
  for (const origin of ["dir:/srv/x", "bookworm", "unknown"]) {
    assert.equal(strangerFrom(origin), null);
  }
  assert.equal(parseRecord({ ...early, origin: "sid", stranger: 7 }), null);
});

test("a build records the stranger of what it copied, whatever becomes of its base", async (f) => {
  await f.generation("base", 1, { origin: "docker:y", stranger: "docker:y" });
  await f.put("defs/x.toml", 'extends = "base"\nsetup = ["id"]');
  await maintainChroot(f.context, named("x"));
  await f.generation("base", 2);
  await logIn(f.context, {
    name: named("x"),
    path: "",
    generation: 1,
    image: null,
    own: [],
    service: null,
  });
  assert.deepEqual([await recorded(f, 1), await recorded(f, 2)], ["docker:y", "docker:y"]);
  assert.deepEqual(f.built.map(({ stranger }) => stranger), ["docker:y", "docker:y"]);
  assert.deepEqual(f.tested.map(({ stranger }) => stranger), ["docker:y", "docker:y"]);
  await maintainChroot(f.context, named("x"));
  assert.deepEqual([await recorded(f, 3), f.built.at(-1)?.stranger], [null, null]);
});

for (const origin of ['extends = "link"', 'source = "dir:FOLDER/link"']) {
  test(`a build with ${origin} finds the stranger behind a symlink`, async (f) => {
    await f.generation("base", 1, { origin: "docker:y", stranger: "docker:y" });
    await Deno.symlink("base", `${f.folder}/store/link`);
    await Deno.symlink("store/base", `${f.folder}/link`);
    await f.put("defs/x.toml", `${origin.replace("FOLDER", f.folder)}\nsetup = ["id"]`);
    await maintainChroot(f.context, named("x"));
    assert.deepEqual([await recorded(f, 1), f.built[0]?.stranger], ["docker:y", "docker:y"]);
  });
}
