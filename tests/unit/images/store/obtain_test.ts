import assert from "node:assert/strict";
import { obtainImage } from "../../../../src/images/store/obtain.ts";
import { sha256 } from "../../../../src/text/hash.ts";
import { NEVER, requestFor, withImages } from "./fixture.ts";

const NAME = "registry.example:5000/g/app:1";

Deno.test("obtainImage() pulls what the registry has, once, and asks it each time", async () => {
  await withImages(async ({ host, recording, config, store, registry }) => {
    registry[NAME] = '{"one":1}';
    const digest = `sha256:${await sha256('{"one":1}')}`;
    const image = await obtainImage(host, config, requestFor(NAME), NEVER);
    assert.equal(image.digest, digest);
    assert.equal(image.platform, "linux/amd64");
    assert.deepEqual(image.config.ports, ["80/tcp"]);
    assert.equal(image.lower.folder, `${store}/.images/storage/overlay`);
    assert.equal(image.lower.layers.length, 2);
    assert.equal(image.size, 1010);
    assert.equal((await host.files.stat(image.path))?.kind, "directory");
    const copies = () => recording.commands().filter((line) => / copy --/.test(line));
    assert.match(copies()[0]!, new RegExp(`docker://registry.example:5000/g/app@${digest} `));
    const asked = () => recording.commands().filter((line) => /inspect/.test(line)).length;
    await obtainImage(host, config, requestFor(NAME), NEVER);
    assert.equal(copies().length, 1);
    assert.equal(asked(), 2);
    registry[NAME] = '{"two":2}';
    const next = await obtainImage(host, config, requestFor(NAME), NEVER);
    assert.notEqual(next.digest, digest);
    assert.equal(copies().length, 2);
    assert.match(
      recording.err(),
      /^Pulled image registry.example:5000\/g\/app:1 in .* \(1 KiB in its layers\)/m,
    );
  });
});

Deno.test("obtainImage() asks no registry with if-not-present or never where the image is there", async () => {
  await withImages(async ({ host, recording, config, registry }) => {
    const never = requestFor(NAME, { policies: ["never"] });
    await assert.rejects(obtainImage(host, config, never, NEVER), {
      kind: "refused",
      message: /not on this host/,
      hint: /image-pull registry.example/,
    });
    registry[NAME] = "{}";
    const lazy = requestFor(NAME, { policies: ["if-not-present"] });
    const image = await obtainImage(host, config, lazy, NEVER);
    const before = recording.processes.length;
    assert.equal((await obtainImage(host, config, lazy, NEVER)).digest, image.digest);
    assert.equal((await obtainImage(host, config, never, NEVER)).digest, image.digest);
    assert.equal(recording.processes.length, before, "no process at all");
    const other = requestFor(NAME, { policies: ["never"], platform: "linux/arm64" });
    await assert.rejects(obtainImage(host, config, other, NEVER), /not on this host/);
  });
});

Deno.test("obtainImage() gives an image by its digest only to jobs that name its repository", async () => {
  await withImages(async ({ host, config, registry }) => {
    registry[NAME] = "{}";
    const { digest } = await obtainImage(host, config, requestFor(NAME), NEVER);
    const obtain = (name: string) =>
      obtainImage(host, config, requestFor(name, { policies: ["never"] }), NEVER);
    assert.equal((await obtain(`registry.example:5000/g/app@${digest}`)).digest, digest);
    assert.equal((await obtain(`registry.example:5000/g/app:2@${digest}`)).digest, digest);
    for (const name of ["registry.example:5000/g/ap", "registry.example:5000/g", "ruby"]) {
      await assert.rejects(obtain(`${name}@${digest}`), /not on this host/, name);
    }
    registry[`docker.io/library/ruby@${digest}`] = "{}";
    await obtainImage(host, config, requestFor(`ruby@${digest}`), NEVER);
    assert.equal((await obtain(`ruby@${digest}`)).digest, digest);
  });
});

Deno.test("obtainImage() tries the policies in their order, and reports the last failure", async () => {
  await withImages(async ({ host, recording, config, registry }) => {
    registry[NAME] = "{}";
    await obtainImage(host, config, requestFor(NAME), NEVER);
    registry[NAME] = "received unexpected HTTP status: 503 Service Unavailable";
    const both = requestFor(NAME, { policies: ["always", "if-not-present"] });
    await obtainImage(host, config, both, NEVER);
    assert.match(recording.err(), /503 Service Unavailable; trying the next pull policy/);
    await assert.rejects(obtainImage(host, config, requestFor(NAME), NEVER), {
      kind: "host",
      message: /503/,
    });
  });
});

Deno.test("obtainImage() tries three times after network trouble, and once after another failure", async () => {
  await withImages(async ({ host, recording, config, registry, failures }) => {
    registry[NAME] = "{}";
    failures.push('Get "https://registry.example:5000/v2/": connection reset by peer');
    await obtainImage(host, config, requestFor(NAME), NEVER);
    assert.match(recording.err(), /connection reset by peer; next attempt in [23] s/);
    registry[NAME] = '{"other":1}';
    failures.push(...Array(3).fill("unexpected EOF"), "not used");
    await assert.rejects(obtainImage(host, config, requestFor(NAME), NEVER), /unexpected EOF/);
    assert.deepEqual(failures, ["not used"]);
    failures.splice(0, 1, "writing blob: no space left on device", "not used");
    await assert.rejects(obtainImage(host, config, requestFor(NAME), NEVER), {
      kind: "host",
      hint: /nspawn-runner gc/,
    });
    assert.deepEqual(failures, ["not used"]);
  });
});

Deno.test("obtainImage() gives credentials to skopeo by a file that is gone afterwards", async () => {
  await withImages(async ({ host, recording, config, registry }) => {
    registry[NAME] = "{}";
    const credentials = {
      username: "ci",
      password: "s3cret",
      identityToken: null,
      scope: "registry.example:5000/g",
      source: "the job",
    };
    let written = "";
    const files = {
      ...host.files,
      async write(path: string, content: string | Uint8Array, mode?: number) {
        if (typeof content === "string" && /auths/.test(content)) written += content;
        await host.files.write(path, content, mode);
      },
    };
    await obtainImage({ ...host, files }, config, requestFor(NAME, { credentials }), NEVER);
    const auth = `{"auths":{"registry.example:5000":{"auth":"${btoa("ci:s3cret")}"}}}`;
    assert.equal(written, auth + auth);
    assert.deepEqual(await host.files.list("/run/nspawn-runner/.images"), []);
    const seen = JSON.stringify(recording.processes) + recording.err();
    assert.ok(!seen.includes("s3cret") && !seen.includes(btoa("ci:s3cret")));
    assert.match(recording.err(), /Using credentials for registry.example:5000\/g from the job/);
  });
});

Deno.test("obtainImage() refuses an image with more layers than can be mounted", async () => {
  const pull = (layers: number) =>
    withImages(
      async ({ host, config, registry }) => {
        registry[NAME] = "{}";
        await obtainImage(host, config, requestFor(NAME), NEVER);
      },
      "ext2/ext3",
      layers,
    );
  await pull(127);
  await assert.rejects(pull(128), { kind: "refused", message: /has 128 layers/ });
});

Deno.test("obtainImage() refuses and deletes an image whose layers are not those of its configuration", async () => {
  await withImages(async ({ host, config, store, registry, library }) => {
    registry[NAME] = "{}";
    const layers = `${store}/.images/storage/overlay-layers/layers.json`;
    const read = async (path: string) =>
      (await host.files.read(path))?.replaceAll(
        path === layers ? "sha256:base" : /$^/g,
        "sha256:other",
      ) ?? null;
    const own = { ...host, files: { ...host.files, read } };
    await assert.rejects(obtainImage(own, config, requestFor(NAME), NEVER), {
      kind: "refused",
      message: /its layers are not those/,
    });
    assert.deepEqual(await library(), []);
    await obtainImage(host, config, requestFor(NAME), NEVER);
  });
});

Deno.test("obtainImage() pulls nothing into a store whose disk is missing, or that another host uses", async () => {
  await withImages(async ({ host, recording, config, store, registry }) => {
    registry[NAME] = "{}";
    const obtainWith = (contents: Readonly<Record<string, string>>) => {
      const read = async (path: string) => contents[path] ?? await host.files.read(path);
      const own = { ...host, files: { ...host.files, read } };
      return obtainImage(own, config, requestFor(NAME), NEVER);
    };
    const fstab = `UUID=1 ${store} ext4 noauto 0 2\n`;
    await assert.rejects(obtainWith({ "/etc/fstab": fstab }), {
      kind: "host",
      message: /not mounted/,
    });
    const mark = { [`${store}/.host`]: "abc other\n", "/etc/machine-id": "def\n" };
    await assert.rejects(obtainWith(mark), {
      kind: "host",
      message: /that of another host, other/,
    });
    assert.equal(await host.files.lstat(store), null);
    assert.ok(!recording.commands().some((line) => / copy --/.test(line)));
  });
});
