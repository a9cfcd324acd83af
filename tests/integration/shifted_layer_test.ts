/** Machines with user ids of their own on hosts that cannot map the owners of files: shifted layers. */

import assert from "node:assert/strict";
import { must } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript, type Site } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { withoutMaps } from "./shifted.ts";
import { define, outputOf, PATIENCE, smallFolder, succeed, withStore } from "./store.ts";

/** Gives the tree $1 metadata that chown(2) and overlays could lose. */
const ADD_METADATA = `
cd "$1"
cp usr/bin/id usr/bin/theirs && chown 1000:1001 usr/bin/theirs && chmod 6751 usr/bin/theirs
cp usr/bin/id usr/bin/roots && chmod 4755 usr/bin/roots && ln usr/bin/roots srv/twin
cp usr/bin/cat 'srv/odd name\\
é' && ln 'srv/odd name\\
é' usr/bin/capable
ln -s roots usr/bin/link && chown --no-dereference 33:42 usr/bin/link
mkdir srv/group && chown 7:8 srv/group && chmod 3775 srv/group
mkfifo srv/pipe && chown 9:10 srv/pipe
echo data >srv/data && chmod 644 srv/data && chown 2000000:65535 srv/data
echo large >srv/large && chown 197609:1048575 srv/large
exec python3 -c 'import os, struct
# cap_net_raw, permitted and effective: capabilities(7)
os.setxattr("usr/bin/capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))'
`;

async function sourceFolder(site: Site): Promise<string> {
  const folder = await smallFolder(site);
  await must(["sh", "-euc", ADD_METADATA, "sh", site.host.outerPath(folder)]);
  return folder;
}

/** Prints files with owner, mode, size, links and content, and folders with owner and mode. */
const LIST = `
find usr srv etc/passwd ! -type d -printf '%p %y %U:%G %m %s %n %l\\n'
find usr srv -type d -printf '%p %y %U:%G %m\\n'
find usr srv -type f -exec sha256sum {} +
`;

const sorted = (text: string) => text.split("\n").sort();

async function listed(site: Site, tree: string): Promise<string[]> {
  const done = await site.host.exec(["sh", "-euc", `cd "$1"\n${LIST}`, "sh", tree]);
  assert.equal(done.code, 0, done.stderr);
  return sorted(done.stdout);
}

/** Also prints change times, which no machine may change. */
async function stateOf(site: Site, tree: string): Promise<string> {
  return (await site.host.exec(["find", tree, "-printf", "%p %i %C@ %U:%G %m\n"])).stdout;
}

/** Prints the layers: keys of trees, first ids, and unfinished layers. */
async function layersOf(own: Site): Promise<string[]> {
  const folder = `${own.store}/.shifted`;
  const done = await own.host.exec([
    "find",
    folder,
    "-mindepth",
    "1",
    "-maxdepth",
    "2",
    "-printf",
    "%P\n",
  ]);
  return done.stdout.split("\n").filter((line) => line !== "").sort();
}

const FIRST = 0x4000_0000;

const AS_USER = `
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "$2" $3; }
as 2000 /usr/bin/roots -u
as 2000 /usr/bin/theirs -u
as 2000 /usr/bin/theirs -g
as 2000 /usr/bin/capable /proc/self/status | grep CapEff
`;

for (const storage of ["overlay", "tmpfs"] as const) {
  onEachHost(`a shifted layer changes owners and nothing else, ${storage}`, async (site) => {
    await withoutMaps(site, { storage }, async (own) => {
      await define(own, "x", `source = "dir:${await sourceFolder(site)}"\n`);
      await succeed(own, "chroot-create", "x");
      const tree = `${own.store}/.generations/x/1`;
      const before = await stateOf(own, tree);
      // 2000000 is no id of the machine, so this file alone belongs to nobody.
      const expected = (await listed(own, tree)).map((line) =>
        line.replace(/ 2000000:/, " 65534:")
      );
      assert.ok(expected.some((line) => line.startsWith("srv/large f 197609:1048575 ")));
      assert.ok(expected.some((line) => line.startsWith("usr/bin/theirs f 1000:1001 6751 ")));
      assert.deepEqual(sorted(await outputOf(own, "x", `cd /\n${LIST}`)), expected);
      assert.equal(await outputOf(own, "x", AS_USER), "0\n1000\n1001\nCapEff:\t0000000000002000\n");
      const changes = "cd /usr/bin\nchmod 700 roots\nchown 5 theirs\necho x >>capable\nrm link\n" +
        "mv /srv/group /srv/moved\nstat -c '%u %a' roots theirs capable /srv/moved\n";
      assert.equal(await outputOf(own, "x", changes), "0 700\n5 751\n0 755\n7 3775\n");
      assert.equal(await stateOf(own, tree), before, "the chroot is what it was");
      assert.deepEqual(sorted(await outputOf(own, "x", `cd /\n${LIST}`)), expected);
    });
  });
}

onEachHost("shifted layers are created and removed with a generation", async (site) => {
  await withoutMaps(site, { keep_generations: 1, storage: "overlay" }, async (own) => {
    const folder = await smallFolder(site);
    await define(own, "x", `source = "dir:${folder}"\nrecreate = true\n`);
    await succeed(own, "chroot-create", "x");
    const first = await layersOf(own);
    assert.equal(first.length, 3, first.join());
    const [key] = first;
    assert.deepEqual(first, [key, `${key}/${FIRST}`, `${key}/${FIRST + 1_048_576}`]);
    const id = newJob();
    const prepared = await succeed(own, "-v", "prepare", "x", "--id", id);
    assert.match(prepared.stderr, /user ids of its own/);
    assert.doesNotMatch(prepared.stderr, /Shifting the owners/, "it was there");
    await succeed(own, "chroot-maintenance", "x");
    const both = await layersOf(own);
    assert.ok(first.every((layer) => both.includes(layer)), "a machine uses the old one");
    assert.equal((await runScript(own, id, "stat -c %u /usr /usr/bin/git")).stdout, "0\n0\n");
    await succeed(own, "cleanup", "--id", id);
    await succeed(own, "chroot-maintenance", "x");
    const last = await layersOf(own);
    assert.ok(last.length === 3 && !both.some((layer) => last.includes(layer)), last.join());
    await own.host.exec(["mkdir", "-p", `${own.store}/.shifted/1-2/3/upper`]);
    assert.match((await succeed(own, "gc", "--dry-run")).stdout, /Would remove .*\/1-2: /);
    await succeed(own, "gc");
    assert.deepEqual(await layersOf(own), last);
    await succeed(own, "chroot-remove", "x");
    assert.deepEqual(await layersOf(own), []);
  });
});

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A mount(8) that cannot map owners, as before util-linux 2.39. */
const OLD_MOUNT = `#!/bin/sh
case "$*" in *X-mount.idmap*) exit 1 ;; esac
PATH=${PATH} exec mount "$@"
`;

/** Returns a site whose program finds other tools before the host's. */
function withTools(own: Site, tools: string): Site {
  const env = { PATH: `${tools}:${PATH}` };
  const call: Site["call"] = (words, options) =>
    own.call(words, { ...options, env: { ...options?.env, ...env } });
  return { ...own, call };
}

onEachHost("a snapshot has shifted layers of its own", async (site) => {
  const onBtrfs = await site.onBtrfs();
  if (onBtrfs === null) return skipReal("a snapshot's shifted layers", "no btrfs can be mounted");
  // Each subvolume has its own device number, and so its own cached result.
  const forget = () => site.host.exec(["sh", "-c", "rm -f /run/nspawn-runner/.idmap-*"]);
  await forget();
  await withStore(onBtrfs, { storage: "overlay" }, async (other) => {
    const tools = `${other.store}/.tools`;
    await other.host.exec(["mkdir", "-p", tools]);
    await other.put(OLD_MOUNT, `${tools}/mount`);
    const own = withTools(other, tools);
    const setup = "if test -e /srv/one; then touch /srv/two; else touch /srv/one; fi";
    await define(own, "x", `source = "dir:${await smallFolder(site)}"\nsetup = ["${setup}"]\n`);
    await succeed(own, "chroot-create", "x");
    const first = await layersOf(own);
    await succeed(own, "chroot-maintenance", "x");
    const look = "stat -c '%n %u' /srv/*";
    assert.equal(await outputOf(own, "x", look), "/srv/one 0\n/srv/two 0\n");
    const both = await layersOf(own);
    assert.deepEqual([first.length, both.length], [3, 6], both.join());
    await succeed(own, "chroot-rollback", "x");
    assert.equal(await outputOf(own, "x", look), "/srv/one 0\n");
    await succeed(own, "gc");
    assert.deepEqual(await layersOf(own), both);
    await succeed(own, "chroot-remove", "x");
    assert.deepEqual(await layersOf(own), []);
  });
  await forget();
});

onEachHost("a shifted layer whose creation was killed is created again", async (site) => {
  await withoutMaps(site, { storage: "overlay" }, async (own) => {
    const tree = `${own.store}/x`; // created by another program, which may change it in place
    await own.host.exec(["sh", "-c", `mkdir ${own.store}; mv ${await smallFolder(site)} ${tree}`]);
    assert.equal(await outputOf(own, "x", "stat -c %u /usr/bin/git"), "0\n");
    const [, layer] = await layersOf(own);
    // A slow tar, since every step is quick.
    const tools = `${own.store}/.tools`;
    const slow = '#!/bin/sh\nsleep 5\nPATH=/usr/sbin:/usr/bin:/sbin:/bin exec tar "$@"\n';
    await own.host.exec(["mkdir", tools]);
    await own.put(slow, `${tools}/tar`);
    for (const isAlone of [false, true]) {
      const text = `changed ${isAlone}`;
      await own.host.exec(["sh", "-c", `rm -f ${tree}/etc/new; echo ${text} >${tree}/etc/new`]);
      const id = newJob();
      const running = own.start(["-v", "prepare", "x", "--id", id], {
        ...PATIENCE,
        env: { PATH: `${tools}:${PATH}` },
      });
      await running.untilPrinted("Shifting the owners");
      const halfMade = async () =>
        (await layersOf(own)).filter((line) => line.includes("/.making-")).length;
      await until(async () => await halfMade() === 1 || null, 60_000);
      await own.host[isAlone ? "signalAlone" : "signal"](running, "SIGKILL");
      await running.ended;
      assert.equal(await halfMade(), 1, "it was killed at work");
      await succeed(own, "cleanup", "--id", id);
      const look = "cat /etc/new && stat -c %u /etc/new /usr/bin/git /usr";
      assert.equal(await outputOf(own, "x", look), `${text}\n0\n0\n0\n`);
      await new Promise((resolve) => setTimeout(resolve, 6_000)); // its processes have ended
      await succeed(own, "gc");
      assert.deepEqual((await layersOf(own)).slice(1), [layer]);
    }
  });
}, ["standalone"]);

onEachHost("files that a failed job wrote over a shifted layer are shown", async (site) => {
  await withoutMaps(site, { keep_failed: "30min", storage: "overlay" }, async (own) => {
    await define(own, "x", `source = "dir:${await smallFolder(site)}"\n`);
    await succeed(own, "chroot-create", "x");
    const id = newJob();
    await succeed(own, "prepare", "x", "--id", id);
    const script = "echo trace >/root/trace; chmod 700 /usr/bin/git; exit 3";
    assert.equal((await runScript(own, id, script)).code, 3);
    await succeed(own, "cleanup", "--id", id);
    const look = await own.call(["shell", id], {
      stdin: "cat /root/trace; stat -c '%u %a' /root/trace /usr/bin/git /usr/bin/cat\n",
    });
    assert.equal(look.stdout, "trace\n0 644\n0 700\n0 755\n", look.stderr);
    await succeed(own, "shell", id, "--done");
  });
});
