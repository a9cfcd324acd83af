/** Storage: the writes of machines and their chroots. */

import assert from "node:assert/strict";
import { skipReal } from "../skip.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site, withMachine } from "../hosts/site.ts";

const NO_BTRFS = "no btrfs can be mounted: no mkfs.btrfs, or no loop device";

const SCRIPT = `set -e
echo "$1" >/etc/motd
rm /usr/bin/git
mkdir /builds && echo x >/builds/file
chmod 0700 /srv
sleep 1
test "$(find / -xdev -name 'own-*' | wc -l)" = 0
touch "/own-$RANDOM"
cat /etc/motd
`;

/** Prints every path of a chroot with its metadata, including change times. */
async function listing(site: Site): Promise<string> {
  const format = "%P %y %m %U:%G %s %T@ %C@ %l\\n";
  const argv = ["find", `${site.store}/${CHROOT}`, "-printf", format];
  return (await site.host.exec(argv)).stdout.split("\n").sort().join("\n");
}

async function fourAtOnce(site: Site, storage: string): Promise<void> {
  const before = await listing(site);
  const jobs = Array.from({ length: 4 }, newJob);
  try {
    const prepared = await Promise.all(
      jobs.map((id) => site.call(["prepare", CHROOT, "--id", id])),
    );
    for (const { code, stderr } of prepared) {
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`^Storage ${storage}\\b`, "m"));
    }
    const ran = await Promise.all(
      jobs.map((id) => runScript(site, id, `set -- ${id}\n${SCRIPT}`)),
    );
    for (const [index, { code, stdout, stderr }] of ran.entries()) {
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `${jobs[index]}\n`);
    }
  } finally {
    const gone = await Promise.all(jobs.map((id) => site.call(["cleanup", "--id", id])));
    for (const { code, stderr } of gone) assert.equal(code, 0, stderr);
  }
  assert.ok(before.split("\n").length > 5000);
  assert.equal(await listing(site), before);
  assert.deepEqual(await machineFolders(site), []);
}

async function machineFolders(site: Site): Promise<string[]> {
  const entries = await Array.fromAsync(
    Deno.readDir(site.host.outerPath(`${site.store}/.machines`)),
  );
  return entries.map(({ name }) => name).filter((name) => name !== ".leaving");
}

for (const boot of [true, false]) {
  const kind = boot ? "booted" : "plain";
  for (const storage of ["overlay", "tmpfs"]) {
    onEachHost(
      `four ${kind} machines at once on ${storage} leave the chroot as it was`,
      async (site) => {
        await fourAtOnce(await site.with({ storage, boot }), storage);
      },
    );
  }
  onEachHost(`four ${kind} machines at once on btrfs leave the chroot as it was`, async (site) => {
    const own = await (await site.with({ boot })).onBtrfs();
    if (own === null) return skipReal(`four ${kind} machines at once on btrfs`, NO_BTRFS);
    await fourAtOnce(own, "btrfs");
  });
}

onEachHost("storage overlay also works on btrfs", async (site) => {
  const own = await (await site.with({ storage: "overlay" })).onBtrfs();
  if (own === null) return skipReal("storage overlay also works on btrfs", NO_BTRFS);
  await fourAtOnce(own, "overlay");
});

onEachHost("storage btrfs is refused where the store is not on btrfs", async (site) => {
  const own = await site.with({ storage: "btrfs" });
  const done = await own.call(["prepare", CHROOT, "--id", newJob()]);
  assert.equal(done.code, 1);
  assert.match(done.stderr, /Cannot use storage "btrfs"/);
});

onEachHost("a store that can hold no upper layer uses tmpfs by default", async (site) => {
  // The upper layer of an overlay cannot be on an overlay.
  const base = `${site.store}/.tests/overlaid-${newJob()}`;
  const folders = ["lower", "upper", "work", "store"].map((name) => `${base}/${name}`);
  await site.host.exec(["mkdir", "-p", ...folders]);
  await site.host.exec(["ln", "-s", `${site.store}/${CHROOT}`, `${base}/lower/${CHROOT}`]);
  const layers = `lowerdir=${base}/lower,upperdir=${base}/upper,workdir=${base}/work`;
  await site.host.exec(["mount", "-t", "overlay", "-o", layers, "tests", `${base}/store`]);
  try {
    const own = await site.with({ store: `${base}/store` });
    const id = newJob();
    const done = await own.call(["prepare", CHROOT, "--id", id]);
    assert.equal((await own.call(["cleanup", "--id", id])).code, 0);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stderr, /^Storage tmpfs\b/m);
  } finally {
    // Lazily, since nspawn may still end.
    await site.host.exec(["umount", "--lazy", `${base}/store`]);
  }
});

/** Argument: a mark. Counts the processes that see a mount with it. */
const COUNT_MOUNTS = 'cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -c " $1 "; :';

onEachHost("what the host unmounts stays mounted in no machine", async (site) => {
  const mark = `nrt-unmounted-${newJob()}`;
  const folder = `${site.store}/.tests/${mark}`;
  const count = async () =>
    Number((await site.host.exec(["sh", "-c", COUNT_MOUNTS, "sh", mark])).stdout);
  await site.host.exec(["mkdir", "-p", folder]);
  await site.host.exec(["mount", "-t", "tmpfs", mark, folder]);
  try {
    await withMachine(await site.with({ boot: false }), async () => {
      assert.ok(await count() > 0);
      await site.host.exec(["umount", folder]);
      assert.equal(await count(), 0);
    });
  } finally {
    await site.host.exec(["umount", "--quiet", folder]);
  }
}, ["systemd"]);
