/** Machines whose root is a pulled image: an overlay over its layers. */

import assert from "node:assert/strict";
import { newJob, runScript } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { linkHelper } from "./helper_root.ts";
import { debian, imageIn, withImages } from "./images.ts";
import { outputOf, succeed, withStore } from "./store.ts";

/** Files whose metadata overlays could lose. */
const METADATA = `
mkdir -p usr/bin srv/hidden srv/opaque
cp "$(command -v id)" usr/bin/theirs && chown 1000:1001 usr/bin/theirs && chmod 6751 usr/bin/theirs
cp "$(command -v id)" usr/bin/roots && chmod 4755 usr/bin/roots && ln usr/bin/roots srv/twin
cp "$(command -v cat)" usr/bin/capable
python3 -c 'import os, struct
# cap_net_raw, permitted and effective: capabilities(7)
os.setxattr("usr/bin/capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))'
mkfifo srv/pipe && chown 9:10 srv/pipe
mknod -m 666 srv/zero c 1 5
echo large >srv/large && chown 197609:1048575 srv/large
echo foreign >srv/foreign && chown 2000000:0 srv/foreign
ln -s roots usr/bin/link && chown --no-dereference 33:42 usr/bin/link
echo old >srv/gone
echo old >srv/opaque/old
echo old >srv/replaced
`;

/** Whiteouts of the OCI image specification, layer.md. */
const CHANGES = `
mkdir -p srv/opaque
: >srv/.wh.gone
: >srv/opaque/.wh..wh..opq
echo new >srv/opaque/new
: >srv/.wh.hidden
mkdir srv/replaced && echo new >srv/replaced/new
`;

const LOOK = `
cd /srv
stat -c '%n %F %u:%g %a %h' large foreign pipe twin /usr/bin/theirs /usr/bin/link
ls . opaque replaced
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "$2" $3; }
as 2000 /usr/bin/roots -u
as 2000 /usr/bin/theirs -u
as 2000 /usr/bin/theirs -g
as 2000 /usr/bin/capable /proc/self/status | grep CapEff
! dd if=zero of=/dev/null count=1 2>/dev/null && echo closed
echo changed >>large && mv opaque moved && cat large moved/new && stat -c %u:%g large
stat -c '%n %a %u' /builds /cache /tmp
`;

const SEEN = `large regular file 197609:1048575 644 1
foreign regular file 65534:0 644 1
pipe fifo 9:10 644 1
twin regular file 0:0 4755 2
/usr/bin/theirs regular file 1000:1001 6751 1
/usr/bin/link symbolic link 33:42 777 1
.:
foreign
large
opaque
pipe
replaced
twin
zero

opaque:
new

replaced:
new
0
1000
1001
CapEff:	0000000000002000
closed
large
changed
new
197609:1048575
/builds 755 0
/cache 755 0
/tmp 1777 0
`;

for (const isMapped of [true, false]) {
  withImages(
    `a machine on an image has what its layers have, owners ${isMapped ? "mapped" : "shifted"}`,
    { private_users: "auto" },
    async (own, registry) => {
      const layers = [await debian(), METADATA, CHANGES];
      const image = await imageIn(registry, "team/x:1", { layers, isEmpty: true });
      for (const storage of ["overlay", "tmpfs", "overlay"]) {
        const seen = await outputOf(await own.with({ storage }), image, LOOK);
        assert.equal(seen, SEEN, `${storage}; no machine changes an image`);
      }
    },
    isMapped,
  );
}

withImages(
  "a machine starts from an image of 120 layers",
  {},
  async (own, registry) => {
    const small = Array.from({ length: 119 }, (_, at) => `mkdir srv\necho ${at} >srv/${at}`);
    const image = await imageIn(registry, "deep:1", {
      layers: [await debian(), ...small],
      isEmpty: true,
    });
    assert.equal(
      await outputOf(own, image, "ls /srv | grep -c .; cat /srv/0 /srv/118"),
      "119\n0\n118\n",
    );
  },
  true,
  ["systemd"],
);

withImages(
  "a shifted layer of an image stays as long as the image",
  { private_users: "auto", storage: "overlay" },
  async (own, registry) => {
    const image = await imageIn(registry, "x:1", {
      layers: [await debian(), CHANGES],
      isEmpty: true,
    });
    const layers = async () =>
      (await own.host.exec(["find", `${own.store}/.shifted`, "-mindepth", "2", "-maxdepth", "2"]))
        .stdout;
    assert.equal(await outputOf(own, image, "cat /srv/opaque/new; stat -c %u /srv"), "new\n0\n");
    const made = await layers();
    assert.match(made, /^\S+\n$/);
    await succeed(own, "gc");
    const id = newJob();
    const again = await succeed(own, "-v", "prepare", image, "--id", id);
    assert.doesNotMatch(again.stderr, /Shifting the owners/, "it is still there");
    await succeed(own, "cleanup", "--id", id);
    assert.equal(await layers(), made);
    await succeed(own, "image-remove", image);
    await succeed(own, "gc");
    assert.equal(await layers(), "");
  },
  false,
);

withImages(
  "files that a failed job wrote over an image are shown",
  { keep_failed: "30min", storage: "overlay" },
  async (own, registry) => {
    const image = await imageIn(registry, "x:1", {
      layers: [await debian(), CHANGES],
      isEmpty: true,
    });
    const id = newJob();
    await succeed(own, "prepare", image, "--id", id);
    assert.equal((await runScript(own, id, "echo trace >/srv/trace; exit 3")).code, 3);
    await succeed(own, "cleanup", "--id", id);
    const used = await own.call(["image-remove", image]);
    assert.notEqual(used.code, 0, "its layers are needed");
    const look = await own.call(["shell", id], { stdin: "cat /srv/trace /srv/opaque/new\n" });
    assert.equal(look.stdout, "trace\nnew\n", look.stderr);
    await succeed(own, "shell", id, "--done");
    await succeed(own, "image-remove", image);
  },
);

withImages("a machine on an image has an overlay, also on btrfs", {}, async (own, registry) => {
  const other = await own.onBtrfs();
  if (other === null) return skipReal("an image's machine on btrfs", "no btrfs can be mounted");
  const image = await imageIn(registry, "x:1", {
    layers: [await debian(), CHANGES],
    isEmpty: true,
  });
  await withStore(other, { storage: "btrfs" }, async (onBtrfs) => {
    await linkHelper(onBtrfs); // prepare would make one, for half a minute
    const id = newJob();
    const prepared = await succeed(onBtrfs, "prepare", image, "--id", id);
    assert.match(prepared.stderr, /^Storage overlay, /m);
    assert.equal((await runScript(onBtrfs, id, "cat /srv/opaque/new")).stdout, "new\n");
    await succeed(onBtrfs, "cleanup", "--id", id);
    await succeed(onBtrfs, "image-remove", image);
  });
});

/** Its shell and its programs are busybox; it has no /usr, /tmp, /proc or /run. */
const BUSYBOX_LOOK = `
id -u; id -g
ls -d /usr /builds /cache /proc/self /run/nspawn-runner
stat -c '%n %a %u' /tmp
touch /tmp/new /builds/new /etc/new
readlink /proc/$$/exe
`;

for (const private_users of ["auto", "off"]) {
  withImages(
    `a machine starts from an image of busybox alone, private_users ${private_users}`,
    { private_users },
    async (own, registry) => {
      const image = await imageIn(registry, "box:1", { config: ["--config.user=1000:1001"] });
      assert.equal(
        await outputOf(own, image, BUSYBOX_LOOK.replace(" /etc/new", "")),
        "1000\n1001\n/builds\n/cache\n/proc/self\n/run/nspawn-runner\n/usr\n/tmp 1777 0\n/bin/busybox\n",
      );
      const root = await imageIn(registry, "box:2", {});
      assert.match(await outputOf(own, root, BUSYBOX_LOOK), /^0\n0\n\/builds\n/);
    },
  );
}
