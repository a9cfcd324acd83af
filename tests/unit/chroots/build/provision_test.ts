import assert from "node:assert/strict";
import { maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import { bootstrap, type Fixture, type FixtureOptions, named, test } from "../fixture.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;

/** A registry with one image, which umoci unpacks. */
function registry(state: { digest: string | null }): FixtureOptions {
  return {
    async tool(argv) {
      if (argv[0] === "skopeo" && argv.includes("--format")) {
        const text = 'time="x" level=fatal msg="no \\"such\\" manifest"';
        return state.digest === null ? { code: 1, stderr: text } : { stdout: `${state.digest}\n` };
      }
      if (argv[0] === "skopeo" && argv.includes("--config")) {
        return {
          stdout: JSON.stringify({ config: { Env: ["A=b", "bad"], User: "ci", Cmd: ["x"] } }),
        };
      }
      return await bootstrap(argv);
    },
  };
}

const inside = ({ processes }: Fixture) =>
  processes.filter(({ argv }) => argv.includes("systemd-nspawn"))
    .map(({ argv }) =>
      argv.slice(argv.indexOf("--", argv.indexOf("systemd-nspawn")) + 1).join(" ")
    );

/** Puts apt into every tree that is filled. */
const WITH_APT: FixtureOptions = {
  async tool(argv, fixture) {
    const answer = await registry({ digest: DIGEST }).tool!(argv, fixture);
    for (const word of argv) {
      const tree = word.match(/^(?:--directory=)?(\/.*\/\.making\/x\/root)$/)?.[1];
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
  }, WITH_APT);
}

test("maintainChroot() installs no packages that the suite's tool has installed", async (f) => {
  await f.put("defs/x.toml", 'suite = "bookworm"\npackages = ["sudo"]\n');
  assert.equal(await maintainChroot(f.context, named("x")), "created");
  assert.deepEqual(inside(f), []);
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
