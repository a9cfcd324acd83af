/** Machines with user ids of their own. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site, withMachine } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { define, linkChroot, outputOf, succeed, withStore } from "./store.ts";

const IDS = /^0 (\d+) 1048576$/;

/** Usual commands of a job as root. */
const AS_ROOT = `tr -s ' ' </proc/self/uid_map | sed 's/^ //'
id -u; stat -c %u /usr /etc/hosts /usr/bin/passwd
touch /root/mine && chown 1000:1000 /root/mine && stat -c %u /root/mine
mkdir -p /mnt/t && mount -t tmpfs t /mnt/t && umount /mnt/t && echo mounted
echo to stderr >/dev/stderr && echo to stdout >/dev/stdout
chmod 4755 /root/mine && stat -c %a /root/mine
echo data > /srv/data/written && stat -c %u /srv/data/written /srv/data
`;

const SEEN = (ids: number) =>
  `0 ${ids} 1048576
0
0
0
0
1000
mounted
to stdout
4755
0
0
`;

/** Starts machines and checks their user namespaces, from inside and from the host. */
async function mapped(own: Site, data: string): Promise<void> {
  const jobs = [newJob(), newJob()];
  const ranges: number[] = [];
  try {
    for (const id of jobs) {
      const prepared = await succeed(own, "prepare", CHROOT, "--id", id);
      assert.match(prepared.stderr, /user ids of its own/);
      const done = await runScript(own, id, AS_ROOT);
      const ids = Number(done.stdout.split("\n")[0]?.match(IDS)?.[1]);
      assert.equal(done.stdout, SEEN(ids), done.stderr);
      assert.equal(done.stderr, "to stderr\n");
      const owner = await own.host.exec(["stat", "-c", "%u", `${data}/written`]);
      assert.equal(owner.stdout, "0\n", "a bind's owners are those on the disk");
      ranges.push(ids);
    }
    assert.notEqual(ranges[0], ranges[1], "two jobs share no ids");
    // Root of a machine has an unprivileged id on the host.
    const lease = JSON.parse(
      (await own.host.exec(["cat", `${own.store}/.leases/run-${jobs[0]}.json`])).stdout,
    );
    const seen = await own.host.exec(["stat", "-c", "%u", `/proc/${lease.leader.pid}`]);
    assert.equal(seen.stdout, `${ranges[0]}\n`);
  } finally {
    for (const id of jobs) await succeed(own, "cleanup", "--id", id);
  }
}

for (const boot of [true, false]) {
  for (const storage of ["overlay", "tmpfs", "btrfs"] as const) {
    const kind = boot ? "booted" : "plain";
    onEachHost(`root of a machine is nobody on the host, ${storage}, ${kind}`, async (site) => {
      const btrfs = storage === "btrfs" ? await site.onBtrfs() : site;
      if (btrfs === null) return skipReal(`ids on ${storage}`, "no btrfs can be mounted here");
      const data = `${site.host.store}/.tests/data-${newJob()}`;
      await site.host.exec(["mkdir", "-p", data]);
      const settings = { boot, storage, private_users: "auto", binds: [`${data}:/srv/data`] };
      if (storage === "btrfs") await mapped(await btrfs.with(settings), data);
      else {
        await withStore(site, settings, async (own) => {
          await linkChroot(own, site); // a store that does not contain the bound files
          await mapped(own, data);
        });
      }
      await site.host.exec(["rm", "-rf", data]);
    });
  }
}

/**
 * What people do with owners above 65535, as root: unpack an archive, create a user, write a file of the chroot; too
 * large an id is refused. Last, a user's own namespace with ids of subuid(5): root maps them as newuidmap(1) would.
 */
const LARGE_IDS = `cd /root
stat -c %u:%g /srv/large
echo changed >>/srv/large && stat -c %u:%g /srv/large
mkdir -p from to && touch from/a && chown 197609:197121 from/a
tar -cf - -C from . | tar -xf - -C to && stat -c %u:%g to/a
useradd -u 200000 -m big && stat -c %u /home/big
touch huge && ! chown 1516583083 huge 2>refused && grep -o 'Invalid argument' refused
useradd -u 1000 builder
mkdir -m 700 /tmp/nested && chown 100000:100000 /tmp/nested
setpriv --reuid=1000 --regid=1000 --clear-groups unshare --user --mount --pid --fork sleep 300 &
while [ "$(readlink /proc/$!/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.1; done
echo 0 100000 65536 >/proc/$!/gid_map && echo 0 100000 65536 >/proc/$!/uid_map
nsenter --user --mount --target $! --setuid 0 --setgid 0 sh -euc '
  touch /tmp/nested/theirs && chown 65535:65535 /tmp/nested/theirs && stat -c %u:%g /tmp/nested/theirs
  mount -t tmpfs t /mnt && echo mounted
'
kill $!
stat -c %u:%g /tmp/nested/theirs
`;

const LARGE_IDS_SEEN = `197609:197121
197609:197121
197609:197121
200000
Invalid argument
65535:65535
mounted
165535:165535
`;

for (const boot of [true, false]) {
  for (const storage of ["overlay", "btrfs"] as const) {
    const kind = boot ? "booted" : "plain";
    onEachHost(`owners above 65535 are those on the disk, ${storage}, ${kind}`, async (site) => {
      const there = storage === "btrfs" ? await site.onBtrfs() : site;
      if (there === null) {
        return skipReal(`large ids on ${storage}`, "no btrfs can be mounted here");
      }
      await withStore(there, { boot, storage }, async (own) => {
        await define(
          own,
          "x",
          `source = "dir:${there.store}/${CHROOT}"
setup = ["touch /srv/large; chown 197609:197121 /srv/large"]
`,
        );
        await succeed(own, "chroot-create", "x");
        const tree = await own.host.exec(["stat", "-c", "%u:%g", `${own.store}/x/srv/large`]);
        assert.equal(tree.stdout, "197609:197121\n");
        assert.equal(await outputOf(own, "x", `set -eu\n${LARGE_IDS}`), LARGE_IDS_SEEN);
      });
    });
  }
}

onEachHost("scripts of a user also run with the machine's own ids", async (site) => {
  await withStore(site, { private_users: "auto" }, async (own) => {
    await define(
      own,
      "x",
      `source = "dir:${site.host.store}/${CHROOT}"
setup = ["id ci || useradd --create-home ci"]
user = "ci"
`,
    );
    await succeed(own, "chroot-create", "x");
    const look =
      'id -un; echo x > ~/mine && stat -c %U ~/mine /builds; echo said >/dev/stderr; grep -c stderr "$0"';
    assert.equal(await outputOf(own, "x", look), "ci\nci\nci\n1\n");
  });
}, ["systemd"]);

onEachHost(
  "files of a failed job are shown with the job's user ids",
  async (site) => {
    const own = await site.with({ private_users: "auto", keep_failed: "30min" });
    const id = newJob();
    await succeed(own, "prepare", CHROOT, "--id", id);
    assert.equal((await runScript(own, id, "echo trace > /root/trace; exit 3")).code, 3);
    await succeed(own, "cleanup", "--id", id);
    const look = await own.call(["shell", id], {
      stdin: "cat /root/trace; stat -c %u /root/trace /usr\n",
    });
    assert.equal(look.stdout, "trace\n0\n0\n", look.stderr);
    await succeed(own, "shell", id, "--done");
  },
  ["systemd"],
);

onEachHost("machines of two stores on one host share no ids and no addresses", async (site) => {
  const script = "cat /proc/self/uid_map; hostname -I\n";
  await withStore(site, { boot: false }, async (own) => {
    await linkChroot(own, site);
    const other = await site.with({ boot: false });
    await withMachine(other, async (first) => {
      await withMachine(own, async (second) => {
        const [here, there] = [
          await runScript(other, first, script),
          await runScript(own, second, script),
        ];
        const [ids, addresses] = here.stdout.split("\n");
        assert.ok(ids && addresses?.startsWith("10."), here.stdout);
        const [otherIds, otherAddresses] = there.stdout.split("\n");
        assert.notEqual(otherIds, ids);
        assert.notEqual(otherAddresses, addresses);
      });
    });
  });
}, ["systemd"]);

/** Lets each mount namespace fail, as where jobs have used up all; and forgets what the host can do. */
const WITHOUT_NAMESPACES = `
rm -f /run/nspawn-runner/.idmap-* /run/nspawn-runner/.shift-* /run/nspawn-runner/.overlay-* /run/nspawn-runner/.own-ids-*
cat >/run/unshare <<'END'
#!/bin/sh
echo "unshare: unshare failed: No space left on device" >&2
exit 1
END
chmod 755 /run/unshare
mount --bind /run/unshare "$(readlink -f "$(command -v unshare)")"
`;

onEachHost(
  "no machine loses its user namespace where mount namespaces are used up",
  async (site) => {
    const own = await site.with({ private_users: "auto", boot: false });
    const set = await site.host.exec(["sh", "-euc", WITHOUT_NAMESPACES]);
    assert.equal(set.code, 0, set.stderr);
    try {
      const { code, stderr } = await own.call(["prepare", CHROOT, "--id", newJob()]);
      assert.notEqual(code, 0);
      assert.match(stderr, /Cannot find out what this host can do: unshare: .*No space left/);
    } finally {
      const restore = 'umount "$(readlink -f "$(command -v unshare)")"; rm /run/unshare';
      await site.host.exec(["sh", "-c", restore]);
    }
    await withMachine(own, async (id) => {
      const map = await runScript(own, id, "cat /proc/self/uid_map\n");
      assert.doesNotMatch(map.stdout, /^ *0 +0 /, "the failure was not remembered");
    });
  },
);
