/** Images: pulled from and pushed to a real registry. */

import assert from "node:assert/strict";
import { must } from "../hosts/command.ts";
import {
  allowPlainHttp,
  blobFiles,
  damage,
  missingRegistryProgram,
  type Registry,
  withRegistry,
} from "../hosts/registry.ts";
import { smallRoot } from "../hosts/roots.ts";
import { onBothHosts, onEachHost } from "../hosts/shared.ts";
import { newJob, runScript, type Site } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import type { ImageEntry } from "../../src/images/store/table.ts";
import {
  define,
  listed,
  outputOf,
  PATIENCE,
  smallFolder,
  succeed,
  unfinishedTrees,
  withStore,
} from "./store.ts";

/** Creates an image in the folder $1 from the root $2, with files that have every kind of metadata. */
const LAYERS = `
cd "$1"
cp --archive "$2" one
cd one
mkdir -p opt/dir home/ci srv/work
echo gone >opt/gone
echo a >opt/dir/a
echo linked >opt/h1
ln opt/h1 opt/h2
cp usr/bin/true opt/special
chmod 4755 opt/special
python3 -c 'import os; os.setxattr("opt/special", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))'
echo ci:x:1000:1000::/home/ci:/bin/sh >>etc/passwd
echo ci:x:1000: >>etc/group
echo ci2:x:1001:ci >>etc/group
chown 1000:1000 home/ci
cd ..
mkdir -p two/opt/dir
: >two/opt/.wh.gone
: >two/opt/dir/.wh..wh..opq
echo c >two/opt/dir/c
umoci init --layout=image
umoci new --image=image:x
for layer in one two; do
  tar --create --file=layer.tar --directory=$layer --numeric-owner --xattrs --xattrs-include='*' .
  umoci raw add-layer --image=image:x layer.tar
done
umoci config --image=image:x --config.user=ci --config.workingdir=/srv/work --config.entrypoint=/entry \\
  --config.cmd=serve --config.env='GREETING=hello $HOME' --config.env=PATH=/opt/tools:/usr/bin:/bin
`;

/** Adds a layer that does not compress to the image in the folder $1. */
const MORE = `
cd "$1"
mkdir -p three/opt
head -c 100000 /dev/urandom >three/opt/more
tar --create --file=layer.tar --directory=three .
umoci raw add-layer --image=image:x layer.tar
`;

/** Creates an image and returns its folder. */
async function makeImage(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "nr-image-" });
  await must(["sh", "-euc", LAYERS, "sh", folder, await smallRoot()], PATIENCE);
  return folder;
}

async function push(
  folder: string,
  { local: here, auth }: Registry,
  compression = "gzip",
): Promise<void> {
  const login = [
    `--dest-authfile=${auth}`,
    "--dest-tls-verify=false",
    `--dest-compress-format=${compression}`,
  ];
  const to = `docker://${here}/ci/x:1`;
  await must(["skopeo", "copy", "--quiet", ...login, `oci:${folder}/image:x`, to], PATIENCE);
}

/** Runs a test with a registry; skips it where none can run. */
async function registered(
  name: string,
  sites: readonly Site[],
  body: (registry: Registry, logins: readonly Record<string, string>[]) => Promise<void>,
): Promise<void> {
  const reason = await missingRegistryProgram();
  if (reason !== null) return skipReal(name, reason);
  await withRegistry(async (registry) => {
    const logins: Record<string, string>[] = [];
    for (const site of sites) {
      await allowPlainHttp(site.host, registry);
      logins.push({ REGISTRY_AUTH_FILE: await site.put(await Deno.readFile(registry.auth)) });
    }
    await body(registry, logins);
  });
}

/** Returns the images in the store. */
async function pulled(own: Site) {
  const { stdout } = await own.call(["image-list", "--json"], PATIENCE);
  return JSON.parse(stdout) as readonly ImageEntry[];
}

const LOOK = `id -un; id -Gn; echo "$HOME"; echo "$GREETING"; echo "$PATH"
ls /opt /opt/dir; stat -c '%h %a' /opt/h1 /opt/special
touch /builds/mine ~/mine`;

const SEEN = `ci
ci ci2
/home/ci
hello $HOME
/opt/tools:/usr/bin:/bin
/opt:
dir
h1
h2
special

/opt/dir:
c
2 644
1 4755
`;

onEachHost(
  "an image becomes a chroot with everything in its layers, by its digest",
  async (site) => {
    await registered("an image", [site], async (registry, [env = {}]) => {
      const folder = await makeImage();
      try {
        await push(folder, registry, "zstd");
        await withStore(site, {}, async (own) => {
          await define(own, "x", `source = "docker:${registry.address}/ci/x:1"\n`);
          const call = (...words: string[]) => own.call(words, { ...PATIENCE, env });
          const unknown = await own.call(["chroot-create", "x"], PATIENCE);
          assert.equal(unknown.code, 1);
          assert.match(unknown.stderr, /denies access[^]*skopeo login/i);
          const made = await call("chroot-create", "x");
          assert.equal(made.code, 0, made.stderr);
          assert.equal(await outputOf(own, `${registry.address}/ci/x`, LOOK), SEEN);
          const path = `${own.store}/.generations/x/1`;
          const xattr =
            `import os; print(os.getxattr("${path}/opt/special", "security.capability").hex())`;
          const capability = await own.host.exec(["python3", "-c", xattr]);
          assert.match(capability.stdout, /^01000002002/, capability.stderr);
          const record = JSON.parse((await own.host.exec(["cat", `${path}.json`])).stdout);
          const { workingDir, entrypoint, cmd, user } = record.image;
          assert.deepEqual([workingDir, entrypoint, cmd, user], [
            "/srv/work",
            ["/entry"],
            ["serve"],
            "ci",
          ]);
          assert.match((await call("chroot-maintenance", "x")).stderr, /^x: nothing to do$/m);
          const [image] = await pulled(own);
          assert.deepEqual([image?.names, image?.layers], [[`${registry.address}/ci/x:1`], 2]);

          await must(["sh", "-euc", MORE, "sh", folder], PATIENCE);
          const before = await blobFiles(registry);
          await push(folder, registry);
          await damage((await blobFiles(registry)).filter((blob) => !before.includes(blob)));
          const damaged = await call("chroot-maintenance", "x");
          assert.equal(damaged.code, 1, damaged.stderr);
          assert.match(damaged.stderr, /digest/i);
          assert.deepEqual((await listed(own, "x"))?.generations, [1]);
          assert.equal(await outputOf(own, "x", LOOK), SEEN);
          assert.equal(await unfinishedTrees(own), "");

          // The same with an image in a folder, which is damaged.
          const layout = `${site.host.store}/.tests/image-${newJob()}`;
          await must(["cp", "-a", `${folder}/image`, site.host.outerPath(layout)]);
          await define(own, "y", `source = "oci:${layout}:x"\n`);
          await succeed(own, "chroot-create", "y");
          assert.equal(await outputOf(own, "y", "stat -c %s /opt/more"), "100000\n");
          const files = await Array.fromAsync(
            Deno.readDir(site.host.outerPath(`${layout}/blobs/sha256`)),
          );
          await damage(
            files.map(({ name }) => site.host.outerPath(`${layout}/blobs/sha256/${name}`)),
          );
          // Otherwise its layers would be taken from the store.
          for (const { digest } of await pulled(own)) await succeed(own, "image-remove", digest);
          await define(own, "z", `source = "oci:${layout}:x"\n`);
          const refused = await own.call(["chroot-create", "z"], PATIENCE);
          assert.equal(refused.code, 1);
          assert.match(refused.stderr, /digest|checksum|corrupt/i);
          assert.equal((await listed(own, "z"))?.state, "defined");
        });
      } finally {
        await must(["rm", "-rf", folder]);
      }
    });
  },
);

onBothHosts(
  "one host builds and pushes, another pulls and runs, also while the registry is down",
  async (builder, user) => {
    const name = "one host builds and pushes";
    await registered(name, [builder, user], async (registry, [push = {}, pull = {}]) => {
      await withStore(builder, {}, (here) =>
        withStore(user, {}, async (there) => {
          const target = `${registry.address}/ci/base:latest`;
          const folder = await smallFolder(builder);
          await define(
            here,
            "base",
            `source = "dir:${folder}"\nsetup = ["echo one > /srv/mark"]\n`,
          );
          await succeed(here, "chroot-create", "base");
          const pushed = async () => {
            const done = await here.call(["chroot-push", "base", target], {
              ...PATIENCE,
              env: push,
            });
            assert.equal(done.code, 0, done.stderr);
            return done.stderr.match(/sha256:[0-9a-f]{64}/g)!.at(-1)!;
          };
          const first = await pushed();
          assert.equal(await pushed(), first, "the same generation is the same image");

          await define(there, "base", `source = "docker:${target}"\n`);
          const maintain = () => there.call(["chroot-maintenance"], { ...PATIENCE, env: pull });
          assert.match((await maintain()).stderr, /^base: created$/m);
          assert.equal((await listed(there, "base"))?.digest, first);
          assert.equal(await outputOf(there, "base", "cat /srv/mark"), "one\n");

          await registry.stop();
          assert.equal(await outputOf(there, "base", "cat /srv/mark"), "one\n");
          const down = await maintain();
          assert.deepEqual(
            [down.code, (await listed(there, "base"))?.generation],
            [1, 1],
            down.stderr,
          );
          await registry.start();
          assert.match((await maintain()).stderr, /^base: nothing to do$/m);

          await define(here, "base", `setup = ["echo two > /srv/mark"]\n`);
          await succeed(here, "chroot-maintenance", "base");
          const second = await pushed();
          assert.notEqual(second, first);
          const id = newJob();
          await succeed(there, "prepare", "base", "--id", id);
          assert.match((await maintain()).stderr, /^base: recreated$/m);
          assert.equal((await listed(there, "base"))?.digest, second);
          assert.equal(await outputOf(there, "base", "cat /srv/mark"), "two\n");
          assert.equal((await runScript(there, id, "cat /srv/mark")).stdout, "one\n");
          await succeed(there, "cleanup", "--id", id);
        }));
    });
  },
);
