/** Disk limits of machines. */

import assert from "node:assert/strict";
import type { Lease } from "../../src/machines/record/lease.ts";
import {
  assertDone,
  assertFailed,
  begin,
  leasesOf,
  planOf,
  withAttempt,
} from "../conformance/stages.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { hasLoopDevices, NO_LOOP_DEVICES } from "../hosts/loop_devices.ts";
import { onEachBoot, onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site } from "../hosts/site.ts";
import { skip, skipReal } from "../skip.ts";
import { linkHelper } from "./helper_root.ts";
import { linkChroot, succeed, withStore } from "./store.ts";

const MIB = 1024 ** 2;

/** The disk limit in these tests, of which a booted machine uses a part itself. */
const MOST = 96;
/** Bytes that other programs may write meanwhile; a machine without a limit would write more. */
const OTHERS = 300;
const SETTINGS = { "limits.disk_max": `${MOST}M`, keep_failed: "30min" } as const;

type Storage = "overlay" | "tmpfs" | "btrfs";

/** Returns a site whose machines have the limit, or why there can be none. */
async function limited(site: Site, storage: Storage): Promise<Site | string> {
  if (storage !== "btrfs") {
    if (storage === "overlay" && !await hasLoopDevices(site.host)) return NO_LOOP_DEVICES;
    return await site.with({ ...SETTINGS, storage });
  }
  const own = await site.onBtrfs();
  if (own === null) return "no btrfs can be mounted here";
  const enabled = await own.host.exec(["btrfs", "quota", "enable", "--simple", own.store]);
  if (enabled.code !== 0) return "this host has no simple quotas: btrfs-progs from 6.7 do";
  return await own.with({ ...SETTINGS, storage });
}

/** Registers a test for each storage, with booted and with plain machines. */
function onEachLimit(name: string, body: (own: Site, storage: Storage) => Promise<void>): void {
  for (const storage of ["overlay", "tmpfs", "btrfs"] as const) {
    onEachBoot(`${name}, ${storage}`, async (site) => {
      const own = await limited(site, storage);
      if (typeof own === "string") {
        const isMissing = /btrfs can/.test(own); // any test machine should have btrfs
        return (isMissing ? skipReal : skip)(`${name}, ${storage} (${site.host.kind} host)`, own);
      }
      try {
        await body(own, storage);
      } finally {
        if (storage === "btrfs") await own.host.exec(["btrfs", "quota", "disable", own.store]);
      }
    });
  }
}

/** Returns the free bytes of the store's file system. */
async function freeOn({ host, store }: Site): Promise<number> {
  await host.exec(["sync", "-f", store]);
  const df = await host.exec(["df", "--block-size=1", "--output=avail", store]);
  return Number(df.stdout.split("\n")[1]);
}

/** Writes to a file until the limit, and prints its length and the error. */
const FILL = `
mkdir -p /builds && dd if=/dev/zero of=/builds/big bs=64k count=16000 2>/tmp/said && exit 9
stat -c %s /builds/big; tail -n 1 /tmp/said; grep -c -e 'No space' -e 'quota exceeded' /tmp/said
echo more >/etc/more || echo full
`.replaceAll("/tmp/said", "/dev/shm/said");

onEachLimit(
  "a job that fills its disk exits with its own code, and fills no other disk",
  async (own) => {
    const id = newJob();
    const prepared = await succeed(own, "prepare", CHROOT, "--id", id);
    assert.match(prepared.stderr, new RegExp(`^Storage \\w+, disk max ${MOST}M, `, "m"));
    const before = await freeOn(own);

    const full = await runScript(own, id, `${FILL}exit 3\n`);
    assert.equal(full.code, 3, full.stdout + full.stderr);
    const [size, , refused] = full.stdout.split("\n");
    assert.ok(Number(size) > MOST * MIB * 0.5 && Number(size) <= MOST * MIB, full.stdout);
    assert.equal(refused, "1", full.stdout);
    assert.match(
      full.stderr,
      new RegExp(
        `^nspawn-runner: Disk full: the machine may write ${MOST} MiB\\. The administrator can raise limits\\.disk_max$`,
        "m",
      ),
    );
    assert.ok(
      before - await freeOn(own) < (MOST + OTHERS) * MIB,
      "the host's disk has no more of it",
    );

    // The disk is still full, and scripts still run.
    assert.equal((await runScript(own, id, "echo more >>/builds/big; exit 0\n")).code, 0);
    assert.equal((await runScript(own, id, "exit 4\n")).code, 4);
    const freed = await runScript(
      own,
      id,
      "rm /builds/big && echo more >/etc/more && cat /etc/more",
    );
    assert.deepEqual([freed.code, freed.stdout], [0, "more\n"], freed.stderr);

    // The files are kept, on the machine's own disk.
    await succeed(own, "cleanup", "--id", id);
    const look = await own.call(["shell", id], { stdin: "cat /etc/more\n" });
    assert.equal(look.stdout, "more\n", look.stderr);
    await succeed(own, "shell", id, "--done");
    assert.deepEqual(await leftovers(own.host), []);
  },
);

/** Creates files until the limit, by redirections, which need no process each. */
const INODES = `
mkdir -p /builds/many && cd /builds/many
i=0
while [ $i -lt 40000 ] && : >a-name-of-some-length-so-that-folders-take-room-$i; do i=$((i + 1)); done 2>/dev/null
echo $i
exit 5
`;

onEachLimit(
  "a job with a disk can be prepared again as soon as its cleanup has ended",
  async (own) => {
    const id = newJob();
    for (let time = 0; time < 4; time++) {
      await succeed(own, "prepare", CHROOT, "--id", id);
      const done = await runScript(
        own,
        id,
        "sleep 1000 >/dev/null 2>&1 &\n: >>/trace; wc -l </trace\necho >>/trace\n",
      );
      assert.equal(done.stdout, "0\n", done.stderr);
      await succeed(own, "cleanup", "--id", id);
    }
    assert.deepEqual(await leftovers(own.host), [], "also in the background");
  },
);

onEachLimit("a job that creates endless files stops at its own limit", async (own, storage) => {
  const id = newJob();
  await succeed(own, "prepare", CHROOT, "--id", id);
  const done = await runScript(own, id, INODES);
  const files = Number(done.stdout);
  assert.equal(done.code, 5, done.stderr);
  assert.ok(files > 1000, done.stdout);
  if (storage !== "btrfs") {
    assert.ok(files <= MOST * MIB / 8192, done.stdout);
    assert.match(done.stderr, /^nspawn-runner: Too many files: .*limits\.disk_max$/m);
  }
  await succeed(own, "cleanup", "--id", id);
  await succeed(own, "shell", id, "--done");
});

onEachLimit("a job cannot exceed its disk limit through other writable places", async (own) => {
  const id = newJob();
  await succeed(own, "prepare", CHROOT, "--id", id);
  const done = await runScript(
    own,
    id,
    "for file in /etc/hosts /run/nspawn-runner/result; do\n" +
      "  head -c 300000000 /dev/zero >>$file; stat -c %s $file; truncate -s 0 $file\ndone 2>/dev/null\n",
  );
  for (const size of done.stdout.trim().split("\n")) {
    assert.ok(Number(size) <= MIB, `${done.stdout}${done.stderr}`);
  }
  await succeed(own, "cleanup", "--id", id);
});

const NEW_SUBVOLUME = `python3 - <<'END'
import fcntl, os, struct
fd = os.open("/builds", os.O_RDONLY)
fcntl.ioctl(fd, 0x5000940e, bytearray(struct.pack("q4088s", 0, b"inner")))
END
dd if=/dev/zero of=/builds/inner/big bs=64k count=8000 2>/dev/null && exit 9
stat -c %s /builds/inner/big
`;

onEachHost("a subvolume that a job creates counts towards the machine's limit", async (site) => {
  const name = "a subvolume that a job makes";
  const own = await limited(site, "btrfs");
  if (typeof own === "string") return skip(`${name} (${site.host.kind} host)`, own);
  const id = newJob();
  const plain = await own.with({ boot: false });
  await succeed(plain, "prepare", CHROOT, "--id", id);
  const done = await runScript(plain, id, `mkdir -p /builds\n${NEW_SUBVOLUME}`);
  await succeed(plain, "cleanup", "--id", id);
  await own.host.exec(["btrfs", "quota", "disable", own.store]);
  assert.equal(done.code, 0, done.stderr);
  assert.ok(Number(done.stdout) <= MOST * MIB, done.stdout);
});

/** Creates subvolumes as root of a machine can, so that btrfs(8) and rm(1) each fail on some of them. */
const HIDE_SUBVOLUMES = `python3 - <<'END'
import fcntl, os, struct
def create(folder, name):
    fcntl.ioctl(folder, 0x5000940E, bytearray(struct.pack("q4088s", 0, name)))
    return os.open(name, os.O_RDONLY, dir_fd=folder)
def lock(subvolume):
    fcntl.ioctl(subvolume, 0x4008941A, struct.pack("Q", 2))
root = os.open("/", os.O_RDONLY)
os.mkdir("/many")
many = os.open("/many", os.O_RDONLY)
for number in range(1000): os.close(create(many, b"-\\xff\\n%d" % number))
nested, chain = root, []
for number in range(5):
    nested = create(nested, b"in \\xfe%d" % number)
    os.close(os.open("file", os.O_CREAT, dir_fd=nested))
    chain.append(nested)
deep = root
for number in range(30):
    os.mkdir("d" * 200, dir_fd=deep)
    deep = os.open("d" * 200, os.O_RDONLY, dir_fd=deep)
deep = create(deep, b"deep")
os.close(create(deep, b"inner"))
for subvolume in [*chain, deep, root]: lock(subvolume)
print("hidden")
END
`;

/** Returns the folders of a store in which a machine's writes are, were, or are removed. */
async function writesIn({ host, store }: Site): Promise<string> {
  return (await host.exec(["find", `${store}/.machines`, "-mindepth", "1", "-maxdepth", "2"]))
    .stdout;
}

onEachBoot("a job cannot make what it wrote undeletable, nor keep others waiting", async (site) => {
  const name = "a job cannot make what it wrote undeletable";
  const btrfs = await site.onBtrfs();
  if (btrfs === null) return skipReal(name, "no btrfs can be mounted here");
  for (const private_users of ["auto", "off"]) {
    const own: Site = await btrfs.with({ private_users });
    const id = newJob();
    await succeed(own, "prepare", CHROOT, "--id", id);
    const done = await runScript(own, id, HIDE_SUBVOLUMES);
    assert.equal(done.stdout, "hidden\n", done.stderr);
    await succeed(own, "cleanup", "--id", id);
    const leaving: string = `${own.store}/.machines/.leaving`;
    const isAside = new RegExp(`^${leaving}(\n${leaving}/run-${id}-\\d+)?\n$`);
    assert.match(await writesIn(own), isAside, "its name is free at once");
    for (let tries = 0; tries < 300 && await writesIn(own) !== `${leaving}\n`; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(await writesIn(own), `${leaving}\n`);
    const { stdout } = await own.host.exec(["btrfs", "subvolume", "list", own.store]);
    assert.doesNotMatch(stdout, /leaving|DELETED/);
  }
  // What an interrupted removal left: gc finishes it, and so does the next prepare.
  const left = `${btrfs.store}/.machines/.leaving/run-1-1000`;
  await btrfs.host.exec(["mkdir", "-p", `${left}/deep`]);
  await btrfs.host.exec(["btrfs", "subvolume", "create", `${left}/root`]);
  assert.match((await succeed(btrfs, "gc")).stdout, /^Removing .*run-1-1000: its removal was/m);
  assert.equal((await btrfs.host.exec(["test", "-e", left])).code, 1);
});

onEachHost(
  "storage btrfs without simple quotas refuses a limit, and auto ignores the limit",
  async (site) => {
    const btrfs = await site.onBtrfs();
    if (btrfs === null) return skipReal("limits on btrfs", "no btrfs can be mounted here");
    const own = await btrfs.with({ ...SETTINGS, boot: false, storage: "btrfs" });
    const refused = await own.call(["prepare", CHROOT, "--id", newJob()]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /simple quotas are off[^]*btrfs quota enable --simple/);
    if (!await hasLoopDevices(site.host)) return skip("limits of auto on btrfs", NO_LOOP_DEVICES);
    const id = newJob();
    const auto = await succeed(await own.with({ storage: "auto" }), "prepare", CHROOT, "--id", id);
    assert.match(auto.stderr, /^Storage overlay, disk max/m);
    await succeed(own, "cleanup", "--id", id);
  },
);

const WITHOUT_LOOPS =
  'for node in /dev/loop*; do mount --bind /dev/null "$node"; done 2>/dev/null; exec "$@"';

onEachHost(
  "a host without loop devices cannot limit an overlay, and the message names the remedy",
  async (site) => {
    const own = await site.with({ ...SETTINGS, storage: "overlay", boot: false });
    const prepare = own.words(["prepare", CHROOT, "--id", newJob()]);
    const argv = ["unshare", "--mount", "sh", "-c", WITHOUT_LOOPS, "sh", ...prepare];
    const failed = await site.host.exec(argv);
    assert.equal(failed.code, 1, failed.stderr);
    assert.match(failed.stderr, /Cannot make a disk of 96 MiB[^]*storage = "tmpfs"/);
  },
);

async function isClean({ host }: Site): Promise<boolean> {
  return (await leftovers(host, /^$/, 500)).length === 0;
}

/** Milliseconds after which prepare is killed, alone or with its processes. */
const DELAYS = [60, 120, 160, 200, 260, 340, 500];

onEachLimit("a killed prepare leaves nothing of a disk after gc", async (own) => {
  for (const [index, delay] of DELAYS.entries()) {
    const id = newJob();
    const preparing = own.start(["prepare", CHROOT, "--id", id]);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await own.host[index % 2 === 0 ? "signal" : "signalAlone"](preparing, "SIGKILL");
    await preparing.ended;
    // Its processes may go on, and create something during or after one gc.
    await own.call(["gc"]);
    await own.call(["cleanup", "--id", id]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let tries = 0; tries < 10 && !await isClean(own); tries++) await own.call(["gc"]);
    await succeed(own, "gc");
    assert.deepEqual(await leftovers(own.host), [], `${delay} ms`);
  }
  // The same for a machine without a lease.
  const id = newJob();
  await succeed(own, "prepare", CHROOT, "--id", id);
  await own.host.exec(["rm", `${own.store}/.leases/run-${id}.json`]);
  assert.match((await succeed(own, "gc")).stdout, /no record of it, but .*its writes/);
  assert.deepEqual(await leftovers(own.host), []);
});

for (const storage of ["overlay", "tmpfs"] as const) {
  onEachHost(
    `files of a machine are removed with it while others run, ${storage}`,
    async (site) => {
      const own = await limited(site, storage);
      if (typeof own === "string") return skip(`neighbours (${site.host.kind} host)`, own);
      const plain = await own.with({ boot: false, private_users: "auto" });
      const [first, second] = [newJob(), newJob()];
      await succeed(plain, "prepare", CHROOT, "--id", first);
      await succeed(plain, "prepare", CHROOT, "--id", second);
      const look = `cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -c "/.machines/run-$1"`;
      const holds = async (id: string) =>
        Number((await site.host.exec(["sh", "-c", look, "sh", id])).stdout);
      assert.ok(await holds(first) > 0);
      await succeed(plain, "cleanup", "--id", first);
      assert.equal(await holds(first), 0);
      assert.ok(await holds(second) > 0);
      await succeed(plain, "cleanup", "--id", second);
    },
  );
}

/** Fills the cache, and then writes elsewhere. */
const FILL_CACHE = `dd if=/dev/zero of=/cache/big bs=64k count=16000 2>/dev/null && exit 9
echo full; echo more >/srv/more && echo on
`;

const OWN_DISK = "caches on a file system of their own do not fill the store's";

onEachHost(OWN_DISK, async (site) => {
  if (!await hasLoopDevices(site.host)) return skip(OWN_DISK, NO_LOOP_DEVICES);
  await withStore(site, { cache_max_size: 1 }, async (own) => {
    await linkChroot(own, site);
    const run = (script: string) => own.host.exec(["sh", "-euc", `cd ${own.store}; ${script}`]);
    const mount =
      "mkdir .cache; truncate -s 64M disk; mkfs.ext4 -q disk; mount -o loop disk .cache";
    assert.equal((await run(mount)).code, 0);
    try {
      const free = await freeOn(own);
      await withAttempt(own, { ...planOf(CHROOT), project: 7304 }, async (job) => {
        await begin(job);
        const done = await job.run("build_script", FILL_CACHE);
        assertDone(done);
        assert.equal(done.stdout, "full\non\n");
        assert.ok(free - await freeOn(own) < OTHERS * MIB, "it writes 1000 MiB without a limit");
        assert.equal((await own.call(["gc"])).stdout, "", "the cache is in use");
      });
      const collected = await own.call(["gc"]);
      assert.match(collected.stdout, /^Removing \S+\/\.cache\/\S+: .*cache_max_size$/m);
      assert.equal((await run("find .cache -name big")).stdout, "");
    } finally {
      await run("umount .cache");
    }
  });
  assert.deepEqual(await leftovers(site.host), []);
});

/** Fills /builds, and then tries to write to the machine's root. */
const FILL_SHARED = `
dd if=/dev/zero of=/builds/big bs=64k count=16000 2>/dev/null && exit 9
stat -c %s /builds/big
dd if=/dev/zero of=/root/big bs=64k count=200 conv=fsync 2>/dev/null && exit 9
exit 3
`;

for (const storage of ["overlay", "tmpfs", "btrfs"] as const) {
  const name =
    `a job with a service writes no more than its limit to /builds and its root, ${storage}`;
  onEachHost(name, async (site) => {
    const own = await limited(await site.with({ boot: false }), storage);
    if (typeof own === "string") return skip(name, own);
    const groups = () => own.host.exec(["btrfs", "qgroup", "show", own.store]);
    await linkHelper(own);
    try {
      const side = { name: CHROOT, alias: "side", command: ["sleep", "1000"] };
      await withAttempt(own, { ...planOf(CHROOT), services: [side] }, async (job) => {
        await begin(job);
        const full = await job.run("step_script", FILL_SHARED);
        assertFailed(full, 3);
        const size = Number(full.stdout);
        assert.ok(size > MOST * MIB * 0.5 && size <= MOST * MIB, full.stdout);
        assert.match(full.stderr, /^nspawn-runner: Disk full: the machine may write 96 MiB\./m);
        if (storage === "btrfs") assert.match((await groups()).stdout, /^1\//m);
      });
      const [{ machine }] = await leasesOf(own) as [Lease];
      await succeed(own, "shell", "--done", machine.replace("held-", ""));
      assert.deepEqual(await leftovers(own.host), []);
      if (storage === "btrfs") assert.doesNotMatch((await groups()).stdout, /^1\//m);
    } finally {
      await own.host.exec(["rm", `${own.store}/helper`]);
      if (storage === "btrfs") await own.host.exec(["btrfs", "quota", "disable", own.store]);
    }
  });
}
