/** Images that attack the start of their own machines. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript, type Site } from "../hosts/site.ts";
import { debian, imageIn, withImages } from "../integration/images.ts";
import { define, PATIENCE, smallFolder, withStore } from "../integration/store.ts";

/** Folders in which systemd-nspawn or this program makes or mounts something; those of a line are links of one image. */
const LINKED = ["etc tmp builds cache var root", "run dev", "proc sys", "usr"];

/** A folder of the host with a file, as an attacker knows its path. */
async function withBait(own: Site, body: (path: string) => Promise<void>): Promise<void> {
  const path = `/srv/bait-${newJob()}`;
  const fill = `mkdir -m 755 "$1" && echo secret >"$1/file" && mkdir "$1/nspawn-runner"`;
  const done = await own.host.exec(["sh", "-euc", fill, "sh", path]);
  assert.equal(done.code, 0, done.stderr);
  try {
    const look = async () =>
      (await own.host.exec(["find", path, "-printf", "%P %C@ %m %U\\n"])).stdout;
    const before = await look();
    assert.match(before, /file/);
    await body(path);
    assert.equal(await look(), before, "nothing on the host was changed");
  } finally {
    await own.host.exec(["rm", "-rf", path]);
  }
}

/** Starts a machine on an image, and runs a script where it starts; returns what was printed. */
async function attack(own: Site, image: string, script: string): Promise<string> {
  const id = newJob();
  const prepared = await own.call(["prepare", image, "--id", id], PATIENCE);
  const done = prepared.code === 0 ? await runScript(own, id, script) : prepared;
  await own.call(["cleanup", "--id", id]);
  return `${prepared.stderr}${done.stdout}${done.stderr}`;
}

/** What a script of such an image looks for. */
const LOOK = `
echo the script ran
for folder in ${LINKED.join(" ")}; do
  cat "/$folder/file"
  echo written >"/$folder/new"
done
cat /leak /pivot/file
`;

/**
 * Attributes by which overlayfs finds files in other folders: the kernel's filesystems/overlayfs. A program that unpacks
 * layers should leave them out.
 */
const ATTRIBUTES = `
mkdir pivot
: >leak
python3 -c 'import os, sys
path = sys.argv[1].encode()
os.setxattr("pivot", "trusted.overlay.redirect", path)
os.setxattr("leak", "trusted.overlay.redirect", path + b"/file")
os.setxattr("leak", "trusted.overlay.metacopy", b"")'`;

/** A shell that does what it can before the machine is ready. */
const HOSTILE_SHELL = `
mkdir -p usr/bin
cat >usr/bin/sh <<'END'
#!/bin/bash
echo forged >/run/nspawn-runner/result
cat "$BAIT/file" "/proc/1/root$BAIT/file"
mount -o remount,rw /run/nspawn-runner && echo x >/run/nspawn-runner/server
mknod /dev/disk b 8 0 && cat /dev/disk
exec bash "$@"
END
chmod 755 usr/bin/sh
rm -f usr/bin/dash
`;

for (const isMapped of [true, false]) {
  const owners = isMapped ? "mapped" : "shifted";
  withImages(
    `an image leads to no folder of the host, owners ${owners}`,
    { prepare_timeout: 60 },
    async (own, registry) => {
      await withBait(own, async (bait) => {
        const paths = [bait, `../../../../../../../..${bait}`];
        const attacks = [
          ...LINKED.map((folders) => `for name in ${folders}; do ln -s ${bait} $name; done`),
          `for name in ${LINKED[0]}; do ln -s ${paths[1]} $name; done`,
          ...paths.map((path) => `${ATTRIBUTES} ${path}`),
          HOSTILE_SHELL.replaceAll("$BAIT", bait),
        ];
        const base = await debian();
        let started = 0;
        for (const [number, layer] of attacks.entries()) {
          const layers = [base, layer];
          const image = await imageIn(registry, `attack:${number}`, { layers, isEmpty: true });
          const seen = await attack(own, image, LOOK);
          assert.doesNotMatch(seen, /secret/, layer);
          if (seen.includes("the script ran")) started++;
        }
        assert.ok(started >= attacks.length - 3, `${started} machines started`);
      });
    },
    isMapped,
  );
}

onEachHost(
  "a tree with a link in the place of /dev starts no machine, not even for a build",
  async (site) => {
    await withStore(site, {}, async (own) => {
      await withBait(own, async (bait) => {
        for (const name of ["dev", "run"]) {
          const tree = await smallFolder(site);
          const link = `rm -r "$1" && ln -s "$2" "$1"`;
          await own.host.exec(["sh", "-euc", link, "sh", `${tree}/${name}`, bait]);
          await define(own, name, `source = "dir:${tree}"\nsetup = ["true"]\n`);
          const refusal = new RegExp(`a link in the place of /${name}`);
          const created = await own.call(["chroot-create", name], PATIENCE);
          assert.match(created.stderr, refusal);
          await own.host.exec(["mv", tree, `${own.store}/by-hand`]);
          assert.match(await attack(own, "by-hand", "echo the script ran"), refusal);
          await own.host.exec(["rm", "-r", `${own.store}/by-hand`]);
        }
      });
    });
  },
);

/** Writes a layer with the entries of a Python expression: names, types of tarfile, and what links lead to. */
const layerOf = (entries: string) => `
python3 - >.layer.tar <<'END'
import io, sys, tarfile
tar = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
FILE, LINK, HARD = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
for name, kind, target in [${entries}]:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.mode = 0o666
    entry.linkname = target
    entry.size = 7 if kind == FILE else 0
    tar.addfile(entry, io.BytesIO(b"written") if kind == FILE else None)
tar.close()
END
`;

withImages(
  "layers of an image write to no folder of the host, and link to none of its files",
  {},
  async (own, registry) => {
    await withBait(own, async (bait) => {
      const up = `../../../../../../../../../../..${bait}`;
      const attacks = [bait, up].flatMap((path) => [
        `("${path}/new", FILE, "")`,
        `("x", LINK, "${path}"), ("x/new", FILE, "")`,
        `("x", LINK, "${path}/file"), ("x", FILE, "")`,
        `("x", LINK, "${path}/file"), ("y", HARD, "x"), ("y", FILE, "")`,
        `("leak", HARD, "${path}/file")`,
        `("x", LINK, "${path}"), ("leak", HARD, "x/file")`,
        `("x", LINK, "${path}"), ("x/.wh.file", FILE, ""), ("x/.wh..wh..opq", FILE, "")`,
        `("${path}/.wh.file", FILE, "")`,
      ]);
      const dots = [`("d/.wh...", FILE, "")`, `(".wh..", FILE, "")`, `(".wh...", FILE, "")`];
      const base = await debian();
      for (const [number, entries] of [...attacks, ...dots].entries()) {
        const layers = [base, layerOf(entries)];
        const image = await imageIn(registry, `layer:${number}`, { layers, isEmpty: true });
        assert.doesNotMatch(await attack(own, image, "cat /leak /x/file /y"), /secret/, entries);
      }
    });
  },
);
