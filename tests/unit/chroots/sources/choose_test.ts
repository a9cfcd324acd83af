/** Where chroots come from, and when they are made anew. */

import assert from "node:assert/strict";
import { chooseChroots, maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import { pushChroot } from "../../../../src/chroots/transfer/push.ts";
import { readRecord } from "../../../../src/chroots/generations/record.ts";
import type { Host } from "../../../../src/host/host.ts";
import { PROGRAM_FILE } from "../../recording_host.ts";
import { bootstrap, type Fixture, type FixtureOptions, named, withStore } from "../fixture.ts";

/** All programs are there, and none of them runs. */
function test(name: string, act: (f: Fixture) => Promise<void>, options: FixtureOptions = {}) {
  Deno.test(
    name,
    () =>
      withStore(
        async (f) =>
          await act({ ...f, context: { ...f.context, host: withPrograms(f.context.host) } }),
        options,
      ),
  );
}

function withPrograms(host: Host): Host {
  const stat = (path: string) =>
    /bin\/(mmdebstrap|skopeo|umoci)$/.test(path)
      ? Promise.resolve(PROGRAM_FILE)
      : host.files.stat(path);
  return { ...host, files: { ...host.files, stat } };
}

const [ONE, TWO] = ["1", "2"].map((digit) => `sha256:${digit.repeat(64)}`) as [string, string];

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

const copies = ({ commands }: Fixture) => commands().filter((line) => line.includes("skopeo copy"));

const state = { digest: ONE as string | null };

test(
  "maintainChroot() pulls an image by its digest, does nothing while that stands, and makes it anew after",
  async (f) => {
    await f.put("defs/x.toml", 'source = "docker:registry.example:5000/ci/x:1"');
    state.digest = ONE;
    assert.equal(await maintainChroot(f.context, named("x")), "created");
    assert.match(copies(f)[0]!, new RegExp(` docker://registry.example:5000/ci/x@${ONE} oci:`));
    const record = await readRecord(f.context.host, f.config.store, named("x"), 1);
    assert.deepEqual([record?.pin, record?.origin], [ONE, "docker:registry.example:5000/ci/x:1"]);
    assert.deepEqual(record?.image, {
      env: ["A=b"],
      user: "ci",
      workingDir: "",
      entrypoint: [],
      cmd: ["x"],
    });
    assert.equal(await maintainChroot(f.context, named("x")), "nothing to do");
    state.digest = null;
    await assert.rejects(maintainChroot(f.context, named("x")), {
      message:
        'Cannot maintain chroot x: cannot read image docker://registry.example:5000/ci/x:1: no "such" manifest',
      hint: /skopeo login/,
    });
    assert.deepEqual(await f.generations("x"), [[1], 1]);
    state.digest = TWO;
    assert.equal(await maintainChroot(f.context, named("x")), "recreated");
    await f.put("defs/x.toml", 'source = "docker:registry.example:5000/ci/x:1"\nsetup = ["true"]');
    assert.equal(
      await maintainChroot(f.context, named("x")),
      "recreated",
      "its definition is another one",
    );
    assert.equal(copies(f).length, 3);
  },
  registry(state),
);

/** A source, and the image that skopeo is to copy. */
const IMAGES: readonly (readonly [string, string])[] = [
  ["docker:python:3.12", `docker://python@${ONE}`],
  ["docker://docker.io/library/python", `docker://docker.io/library/python@${ONE}`],
  [`oci:registry.example/x:tag@${TWO}`, `docker://registry.example/x@${TWO}`],
  ["oci:/srv/image:v1", "oci:/srv/image:v1"],
];

for (const [source, image] of IMAGES) {
  test(`chooseSource() makes ${image} of ${source}`, async (f) => {
    await f.put("defs/x.toml", `source = "${source}"`);
    await maintainChroot(f.context, named("x"));
    assert.ok(copies(f)[0]!.includes(` ${image} oci:`), copies(f)[0]);
  }, registry({ digest: ONE }));
}

const inside = ({ processes }: Fixture) =>
  processes.filter(({ argv }) => argv.includes("systemd-nspawn"))
    .map(({ argv }) =>
      argv.slice(argv.indexOf("--", argv.indexOf("systemd-nspawn")) + 1).join(" ")
    );

/** Whatever fills a tree, there is apt in it. */
const WITH_APT: FixtureOptions = {
  async tool(argv, fixture) {
    const answer = await registry({ digest: ONE }).tool!(argv, fixture);
    for (const word of argv) {
      const tree = word.match(/^(?:--directory=)?(\/.*\/\.making\/x\/root)$/)?.[1];
      if (tree === undefined) continue;
      await Deno.mkdir(`${tree}/usr/bin`, { recursive: true });
      await Deno.writeTextFile(`${tree}/usr/bin/apt-get`, "");
    }
    return answer;
  },
};

/** What a chroot is made from. */
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

test("maintainChroot() installs no packages that a suite brought", async (f) => {
  await f.put("defs/x.toml", 'suite = "bookworm"\npackages = ["sudo"]\n');
  assert.equal(await maintainChroot(f.context, named("x")), "created");
  assert.deepEqual(inside(f), []);
}, WITH_APT);

test("maintainChroot() refuses packages where there is no apt, also of a chroot that is there", async (f) => {
  await f.generation("base", 1);
  await f.put("defs/x.toml", 'extends = "base"\npackages = ["sudo"]');
  const refusal = {
    message: "Cannot maintain chroot x: cannot install packages: it has no apt",
    hint: /setup/,
  };
  await assert.rejects(maintainChroot(f.context, named("x")), refusal);
  assert.deepEqual(await f.generations("x"), [[], null]);
  await f.tree("x");
  await f.put("defs/x.toml", 'packages = ["sudo"]');
  await assert.rejects(maintainChroot(f.context, named("x")), refusal);
});

test("maintainChroot() makes a chroot anew when the one that it extends is another", async (f) => {
  await f.generation("base", 1);
  await f.put("defs/x.toml", 'extends = "base"');
  assert.equal(await maintainChroot(f.context, named("x")), "created");
  assert.equal(await f.mark("x"), "mark 1");
  assert.equal(await maintainChroot(f.context, named("x")), "nothing to do");
  await f.generation("base", 2);
  assert.equal(await maintainChroot(f.context, named("x")), "recreated");
  assert.equal(await f.mark("x"), "mark 2");
});

test("maintainChroot() refuses definitions that extend each other, and a base that does not exist", async (f) => {
  for (const [name, base] of [["a", "b"], ["b", "c"], ["c", "a"]]) {
    await f.put(`defs/${name}.toml`, `extends = "${base}"`);
  }
  await assert.rejects(maintainChroot(f.context, named("a")), {
    message: /definitions extend each other/,
    hint: "a extends b extends c extends a",
  });
  await f.put("defs/c.toml", 'extends = "none"');
  await assert.rejects(maintainChroot(f.context, named("c")), { hint: /chroot-create none/ });
});

test("chooseChroots() has what others extend come first", async (f) => {
  await f.put("defs/a.toml", 'extends = "c"');
  await f.put("defs/b.toml", "");
  await f.put("defs/c.toml", 'extends = "d"');
  await f.put("defs/d.toml", 'extends = "a"'); // a circle is told when its turn comes
  assert.deepEqual([...await chooseChroots(f.context, [])].sort(), ["a", "b", "c", "d"]);
  await f.put("defs/d.toml", "");
  assert.deepEqual(await chooseChroots(f.context, []), ["d", "c", "a", "b"]);
  assert.deepEqual(await chooseChroots(f.context, ["a", "d"]), ["d", "a"]);
});

for (
  const target of [
    "x",
    "x:1",
    "registry.example/x",
    "user@registry.example/x:1",
    "registry.example/X:1",
    "ci/x:1",
    "registry.example/x:1 --creds=a",
  ]
) {
  test(`pushChroot() refuses ${target}`, async (f) => {
    const chroot = { name: named("x"), path: "/x", generation: 1, image: null, own: [] };
    await assert.rejects(pushChroot(f.context, chroot, target), {
      kind: "refused",
      hint: /REGISTRY/,
    });
    assert.equal(f.processes.length, 0);
  });
}
