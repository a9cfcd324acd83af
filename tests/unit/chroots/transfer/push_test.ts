import assert from "node:assert/strict";
import { pushChroot } from "../../../../src/chroots/transfer/push.ts";
import { sha256 } from "../../../../src/text/hash.ts";
import { named, test } from "../fixture.ts";

const LAYER = await sha256("files");
const pushed: unknown[] = [];

test("pushChroot() pushes an image of one layer, in the layout that skopeo reads", async (f) => {
  const image = { env: ["A=b"], user: "ci", workingDir: "", entrypoint: [], cmd: ["x"] };
  await f.generation("x", 1, { image, made: "2029-01-01T00:00:00.000Z" });
  const chroot = { name: named("x"), path: "/x", generation: 1, image, own: [], service: null };
  assert.equal(await pushChroot(f.context, chroot, "registry.example/ci/x:1"), "sha256:pushed");
  const [manifest, config] = pushed as [Record<string, unknown>, Record<string, unknown>];
  const mediaType = "application/vnd.oci.image.layer.v1.tar";
  assert.deepEqual(manifest["layers"], [{ mediaType, digest: `sha256:${LAYER}`, size: 5 }]);
  assert.deepEqual(config, {
    created: "2029-01-01T00:00:00.000Z",
    architecture: "arm64",
    os: "linux",
    config: { Env: ["A=b"], User: "ci", Cmd: ["x"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${LAYER}`] },
  });
}, {
  async tool(argv) {
    if (argv[0] === "uname") return { stdout: "aarch64\n" };
    if (argv[0] === "tar") {
      await Deno.writeTextFile(argv.find((word) => word.startsWith("--file="))!.slice(7), "files");
    }
    if (argv[0] === "sha256sum") return { stdout: `${LAYER}  ${argv[1]}\n` };
    const from = argv.at(-2)!.match(/^oci:(.*):image$/)?.[1];
    if (from === undefined) return {};
    const blob = async (digest: string) =>
      JSON.parse(await Deno.readTextFile(`${from}/blobs/${digest.replace(":", "/")}`));
    const { manifests: [{ digest }] } = JSON.parse(await Deno.readTextFile(`${from}/index.json`));
    const manifest = await blob(digest);
    assert.equal(await Deno.readTextFile(`${from}/blobs/sha256/${LAYER}`), "files");
    pushed.push(manifest, await blob(manifest.config.digest));
    await Deno.writeTextFile(
      argv.find((word) => word.startsWith("--digestfile="))!.slice(13),
      "sha256:pushed",
    );
    return {};
  },
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
    const chroot = {
      name: named("x"),
      path: "/x",
      generation: 1,
      image: null,
      own: [],
      service: null,
    };
    await assert.rejects(pushChroot(f.context, chroot, target), {
      kind: "refused",
      hint: /REGISTRY/,
    });
    assert.equal(f.processes.length, 0);
  });
}
