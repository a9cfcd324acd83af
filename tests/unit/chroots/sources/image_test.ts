import assert from "node:assert/strict";
import { maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import { readRecord } from "../../../../src/chroots/generations/record.ts";
import { COPY_FILES_SCRIPT } from "../../../../src/images/store/copy_files.ts";
import { listImages } from "../../../../src/images/store/record.ts";
import { imagePaths } from "../../../../src/images/store/paths.ts";
import { sha256 } from "../../../../src/text/hash.ts";
import { type Fixture, named, test, withRegistry } from "../fixture.ts";

const [ONE, TWO] = ['{"n":1}', '{"n":2}'] as const;
const [FIRST, SECOND] = await Promise.all([ONE, TWO].map(digestOf)) as [string, string];

async function digestOf(manifest: string): Promise<string> {
  return `sha256:${await sha256(manifest)}`;
}

/** The images that were copied into the store, as skopeo was asked for them. */
const copies = ({ commands }: Fixture) =>
  commands().filter((line) => line.includes("--remove-signatures"));

const X = "registry.example:5000/ci/x:1";
const registry = { [X]: ONE as string };

test(
  "maintainChroot() fetches an image as jobs do, and rebuilds the chroot only when digest or definition change",
  async (f) => {
    const { context: { host }, config: { store } } = f;
    await f.put("defs/x.toml", `source = "docker:${X}"`);
    assert.equal(await maintainChroot(f.context, named("x")), "created");
    assert.match(copies(f)[0]!, new RegExp(` docker://registry.example:5000/ci/x@${FIRST} cont`));
    const record = await readRecord(host, store, named("x"), 1);
    assert.deepEqual([record?.pin, record?.origin], [FIRST, `docker:${X}`]);
    assert.deepEqual(record?.image, {
      env: ["A=b"],
      user: "ci",
      workingDir: "",
      entrypoint: [],
      cmd: [],
    });
    const [image] = await listImages(host, store);
    assert.deepEqual([image?.digest, image?.names], [FIRST, [X]]);
    const copied = f.processes.find(({ argv }) => argv.includes(COPY_FILES_SCRIPT))!.argv;
    const { folder, layers } = image!.lower;
    assert.deepEqual(copied.slice(-4, -2), [folder, layers.join(":")]);

    assert.equal(await maintainChroot(f.context, named("x")), "nothing to do");
    registry[X] = "manifest unknown";
    await assert.rejects(maintainChroot(f.context, named("x")), {
      message:
        `Cannot maintain chroot x: cannot pull image ${X}: registry.example:5000 does not have it`,
    });
    assert.deepEqual(await f.generations("x"), [[1], 1]);
    registry[X] = TWO;
    assert.equal(await maintainChroot(f.context, named("x")), "recreated");
    assert.equal((await readRecord(host, store, named("x"), 2))?.pin, SECOND);
    await f.put("defs/x.toml", `source = "docker:${X}"\nsetup = ["true"]`);
    assert.equal(await maintainChroot(f.context, named("x")), "recreated", "by its definition");
    assert.equal(copies(f).length, 2, "an image that is in the store is not copied again");
  },
  withRegistry(registry),
);

const removed = withRegistry({ [X]: ONE });

test("maintainChroot() fails where the image is removed while its files are copied", async (f) => {
  await f.put("defs/x.toml", `source = "docker:${X}"`);
  await assert.rejects(maintainChroot(f.context, named("x")), { message: /removed just now$/ });
  assert.deepEqual(await f.generations("x"), [[], null]);
}, {
  async tool(argv, f) {
    if (argv.includes(COPY_FILES_SCRIPT)) {
      await Deno.remove(imagePaths(f.config.store).records, { recursive: true });
    }
    return await removed.tool!(argv, f);
  },
});

/** A source, and the image that skopeo is to copy. */
const IMAGES: readonly (readonly [string, string])[] = [
  ["docker:python:3.12", `docker://docker.io/library/python@${FIRST}`],
  ["docker://docker.io/library/python", `docker://docker.io/library/python@${FIRST}`],
  [`oci:registry.example/x:tag@${SECOND}`, `docker://registry.example/x@${SECOND}`],
  ["oci:/srv/image:v1", "oci:/srv/image:v1"],
];

const names = {
  "docker.io/library/python:3.12": ONE,
  "docker.io/library/python:latest": ONE,
  "oci:/srv/image:v1": ONE,
};

for (const [source, image] of IMAGES) {
  test(`chooseSource() makes ${image} of ${source}`, async (f) => {
    await f.put("defs/x.toml", `source = "${source}"`);
    await maintainChroot(f.context, named("x"));
    assert.ok(copies(f)[0]!.includes(` ${image} cont`), copies(f)[0]);
    const [stored] = await listImages(f.context.host, f.config.store);
    assert.equal(stored!.names.length, source.startsWith("oci:/") ? 0 : 1);
  }, withRegistry(names));
}

test("maintainChroot() fails where the image in a folder changes while it is copied", async (f) => {
  await f.put("defs/x.toml", 'source = "oci:/srv/image:v1"');
  await assert.rejects(maintainChroot(f.context, named("x")), { message: /changed just now$/ });
}, {
  async tool(argv, f) {
    const answer = await withRegistry(names).tool!(argv, f);
    if (argv.includes("inspect")) names["oci:/srv/image:v1"] += " ";
    return answer;
  },
});
