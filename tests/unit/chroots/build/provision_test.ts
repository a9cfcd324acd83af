import assert from "node:assert/strict";
import { maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import {
  bootstrap,
  ENTER,
  type Fixture,
  type FixtureOptions,
  named,
  test,
  withRegistry,
} from "../fixture.ts";

/** Has one image. */
const REGISTRY = withRegistry({ "docker.io/library/x:latest": "{}" });

const inside = ({ processes }: Fixture) =>
  processes.filter(({ argv }) => argv.includes(ENTER))
    .map(({ argv }) => argv.slice(argv.indexOf(ENTER) + 2).join(" "));

/** Puts apt into every tree that is filled. */
const WITH_APT: FixtureOptions = {
  async tool(argv, fixture) {
    const answer = await REGISTRY.tool!(argv, fixture);
    for (const word of argv) {
      const tree = word.match(/^(?:--directory=)?(\/.*\/\.making\/[xy]\/root)$/)?.[1];
      if (tree === undefined) continue;
      await Deno.mkdir(`${tree}/usr/bin`, { recursive: true });
      await Deno.writeTextFile(`${tree}/usr/bin/apt-get`, "");
    }
    return answer;
  },
};

/** Sources that do not install packages themselves. */
const ORIGINS = [
  'extends = "base"',
  'source = "dir:FOLDER/root"',
  'source = "tar:FOLDER/root.tar"',
  'source = "docker:x"',
];

for (const origin of ORIGINS) {
  test(`maintainChroot() installs packages of a chroot with ${origin}`, async (f) => {
    await f.generation("base", 1);
    const there = ["root/usr/bin/apt-get", "store/.generations/base/1/usr/bin/apt-get", "root.tar"];
    for (const path of there) await f.put(path);
    const more = 'packages = ["sudo"]\nsetup = ["id ci"]\n';
    await f.put("defs/x.toml", `${origin.replace("FOLDER", f.folder)}\n${more}`);
    assert.equal(await maintainChroot(f.context, named("x")), "created");
    const [install, setup] = inside(f);
    assert.match(install!, /apt-get .* install -- "\$@"\n.* sh sudo$/s);
    assert.doesNotMatch(install!, /dist-upgrade/);
    assert.equal(setup, "sh -euc id ci");
    assert.equal(f.built.length, 1, "one machine for all steps");
  }, WITH_APT);
}

test("maintainChroot() installs no packages that the suite's tool has installed", async (f) => {
  await f.put("defs/x.toml", 'suite = "bookworm"\npackages = ["sudo"]\n');
  assert.equal(await maintainChroot(f.context, named("x")), "created");
  assert.deepEqual([inside(f), f.built], [[], []]);
}, WITH_APT);

test("maintainChroot() refuses packages where there is no apt, also in an existing chroot", async (f) => {
  await f.generation("base", 1);
  await f.put("defs/x.toml", 'extends = "base"\npackages = ["sudo"]');
  const refusal = {
    message: "Cannot maintain chroot x: cannot install packages: the chroot has no apt",
    hint: /setup/,
  };
  await assert.rejects(maintainChroot(f.context, named("x")), refusal);
  assert.deepEqual(await f.generations("x"), [[], null]);
  await f.tree("x");
  await f.put("defs/x.toml", 'packages = ["sudo"]');
  await assert.rejects(maintainChroot(f.context, named("x")), refusal);
});

/** Origins of x, and the source whose programs are not trusted with the host; base comes from an image. */
const STRANGERS: readonly (readonly [string, string | null])[] = [
  ['source = "docker:x"', "docker:x"],
  ['source = "tar:FOLDER/root.tar"', "tar:FOLDER/root.tar"],
  ['extends = "base"', "oci:base"],
  ['extends = "foreign"', null],
  ['source = "dir:FOLDER/root"', null],
  ['suite = "bookworm"', null],
];

for (const [origin, stranger] of STRANGERS) {
  test(
    `maintainChroot() with ${origin} names ${stranger} as the stranger whose programs run`,
    async (f) => {
      const inFolder = (text: string | null) => text?.replace("FOLDER", f.folder) ?? null;
      await f.generation("base", 1, { origin: "oci:base", stranger: "oci:base" });
      await f.tree("foreign");
      for (const path of ["root/usr/file", "root.tar"]) await f.put(path);
      await f.put("defs/x.toml", `${inFolder(origin)}\nsetup = ["id"]\n`);
      await maintainChroot(f.context, named("x"));
      assert.deepEqual(f.built.map((one) => one.stranger), [inFolder(stranger)]);
    },
    WITH_APT,
  );
}

test(
  "maintainChroot() copies files of the host beside the tree, and from there in the machine",
  async (f) => {
    await f.put("root/usr/file");
    await f.put("secret", "text");
    const copy = `copy = { "${f.folder}/secret" = "/srv/secret" }`;
    await f.put("defs/x.toml", `source = "dir:${f.folder}/root"\n${copy}\n`);
    await maintainChroot(f.context, named("x"));
    const { from = "", to } = f.built[0]?.files ?? {};
    assert.equal(from, `${f.folder}/store/.making/x/tmp/copy`);
    assert.match(inside(f)[0]!, new RegExp(` sh ${to}/0 /srv/secret$`));
  },
  {
    async tool(argv, { folder }) {
      if (argv[0] !== ENTER) return await bootstrap(argv);
      assert.equal(await Deno.readTextFile(`${folder}/store/.making/x/tmp/copy/0`), "text");
    },
  },
);
