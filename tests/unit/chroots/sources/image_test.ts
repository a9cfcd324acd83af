import assert from "node:assert/strict";
import { maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import { readRecord } from "../../../../src/chroots/generations/record.ts";
import { bootstrap, type Fixture, type FixtureOptions, named, test } from "../fixture.ts";

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
  "maintainChroot() pulls an image by its digest, and rebuilds the chroot only when digest or definition change",
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
