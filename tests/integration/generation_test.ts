/** Generations of a chroot, with running jobs and killed commands. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript, type Site } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
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

/** A chroot that another program created, with a definition. */
async function bareChroot(own: Site): Promise<void> {
  const folder = await smallFolder(own);
  const move =
    `mkdir -p ${own.store} && mv ${folder} ${own.store}/x && echo zero > ${own.store}/x/srv/mark`;
  await own.host.exec(["sh", "-euc", move]);
  await define(own, "x", `setup = ["echo new > /srv/mark; echo new > /usr/bin/true"]\n`);
}

onEachHost(
  "eight jobs keep their files while maintenance builds new generations",
  async (site) => {
    await withStore(site, { keep_generations: 1 }, async (own) => {
      await bareChroot(own);
      const jobs = Array.from({ length: 8 }, newJob);
      const prepared = await Promise.all(jobs.map((id) => own.call(["prepare", "x", "--id", id])));
      for (const { code, stderr } of prepared) assert.equal(code, 0, stderr);
      // The jobs still run, and read files for the first time.
      const go =
        "while [ ! -e /root/go ]; do sleep 0.1; done; cat /srv/mark; sha256sum /usr/bin/true";
      const running = jobs.map((id) => runScript(own, id, go));
      for (let round = 1; round <= 2; round++) {
        const done = await succeed(own, "chroot-maintenance", "x");
        assert.match(done.stderr, /^x: updated$/m);
        assert.equal((await listed(own, "x"))?.generation, round);
      }
      assert.deepEqual((await listed(own, "x"))?.generations, [0, 2], "zero is in use, one is not");
      assert.equal(await outputOf(own, "x", "cat /srv/mark"), "new\n");
      for (const id of jobs) await own.call(["shell", id], { stdin: "touch /root/go\n" });
      const ended = await Promise.all(running);
      const [first] = ended;
      assert.match(first!.stdout, /^zero\n[0-9a-f]{64} /, first!.stderr);
      for (const { code, stdout } of ended) assert.deepEqual([code, stdout], [0, first!.stdout]);

      const refused = await own.call(["chroot-remove", "x"]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /in use by run-/);
      const removing = own.start(["chroot-remove", "x", "--when-idle"], PATIENCE);
      await removing.untilPrinted("Waiting for ");
      assert.equal((await listed(own, "x"))?.generation, 2);
      for (const id of jobs) await succeed(own, "cleanup", "--id", id);
      assert.equal((await removing.ended).code, 0);
      assert.equal((await listed(own, "x"))?.state, "defined");
      assert.equal(await unfinishedTrees(own), "");
    });
  },
);

/** Runs a command as a user of the host. */
const AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

onEachHost("users of the host cannot read chroots, nor what machines write", async (site) => {
  await withStore(site, {}, async (own) => {
    await bareChroot(own);
    await succeed(own, "chroot-maintenance", "x");
    const id = newJob();
    await succeed(own, "prepare", "x", "--id", id);
    const done = await runScript(
      own,
      id,
      "cat /srv/mark; chmod 755 /root; echo mine >/root/file\n",
    );
    assert.equal(done.stdout, "new\n", done.stderr);
    const look = `ls ${own.store}; find -L ${own.store} -type f -readable 2>/dev/null`;
    const { stdout } = await own.host.exec([...AS_USER, "sh", "-c", look]);
    await succeed(own, "cleanup", "--id", id);
    assert.equal(stdout, "x\n", "the name of the chroot, and no file");
  });
});

onEachHost(
  "a chroot can be rolled back to an earlier generation, and updated from there",
  async (site) => {
    await withStore(site, {}, async (own) => {
      const folder = await smallFolder(site);
      await define(own, "x", `source = "dir:${folder}"\nsetup = ["echo mark >> /srv/marks"]\n`);
      await succeed(own, "chroot-create", "x");
      await succeed(own, "chroot-maintenance", "x");
      const marks = async () =>
        (await outputOf(own, "x", "cat /srv/marks")).length / "mark\n".length;
      const back = await succeed(own, "chroot-rollback", "x");
      assert.match(back.stderr, /^Chroot x is generation 1 again$/m);
      assert.equal(await marks(), 1);
      await succeed(own, "chroot-rollback", "x", "2");
      assert.equal(await marks(), 2);
      await succeed(own, "chroot-rollback", "x", "1");
      const none = await own.call(["chroot-rollback", "x"]);
      assert.equal(none.code, 1);
      assert.match(none.stderr, /no earlier generation\nGenerations: 1, 2; 1 is current/);
      await succeed(own, "chroot-maintenance", "x");
      assert.deepEqual((await listed(own, "x"))?.generations, [1, 3], "the bad one is gone");
      assert.equal(await marks(), 2, "made from the first one");
    });
  },
  ["standalone"],
);

/** Texts that the program prints at its steps, and the definition that is needed for each. */
const STEPS = [["Copying ", "true"], ["Running sleep", "sleep 600"], [
  "Testing the new tree",
  "true",
]] as const;

onEachHost(
  "maintenance that is killed at any step keeps the current generation",
  async (site) => {
    await withStore(site, {}, async (own) => {
      const source = `source = "dir:${await smallFolder(site)}"\n`;
      await define(own, "x", source);
      await succeed(own, "chroot-create", "x");
      for (const [step, setup] of STEPS) {
        await define(own, "x", `${source}setup = ["${setup}"]\n`);
        const running = own.start(["chroot-maintenance", "x"], PATIENCE);
        await running.untilPrinted(step);
        await own.host.signal(running, "SIGKILL");
        assert.deepEqual((await listed(own, "x"))?.generations, [1], step);
        assert.equal(await outputOf(own, "x", "echo fine"), "fine\n");
        await succeed(own, "gc"); // its build or trial goes on without it
        await running.ended;
      }
      await succeed(own, "chroot-maintenance", "x");
      assert.deepEqual((await listed(own, "x"))?.generations, [1, 2]);
      assert.equal(await unfinishedTrees(own), "");
      await endTests(own);
    });
  },
);

/** The machine of a killed trial lives until its deadline. */
async function endTests(own: Site): Promise<void> {
  const { stdout } = await succeed(own, "list", "--json");
  for (const { id } of JSON.parse(stdout)) await succeed(own, "cleanup", "--id", id);
}

onEachHost(
  "a tree in which git or booting fails does not become the current generation",
  async (site) => {
    await withStore(site, { boot: true, prepare_timeout: 60 }, async (own) => {
      const folder = await smallFolder(site);
      await define(own, "x", `source = "dir:${folder}"\nrecreate = true\n`);
      await succeed(own, "chroot-create", "x");
      const init =
        "mkdir -p /usr/lib/systemd && cp /usr/bin/false /usr/lib/systemd/systemd && cp /usr/bin/false /usr/bin/dbus-daemon";
      const bad = [["rm /usr/bin/git", /git does not run in it/], [
        init,
        /cannot start machine/,
      ]] as const;
      for (const [setup, reason] of bad) {
        await define(own, "x", `source = "dir:${folder}"\nrecreate = true\nsetup = ["${setup}"]\n`);
        const failed = await own.call(["chroot-maintenance", "x"], PATIENCE);
        assert.equal(failed.code, 1, setup);
        assert.match(failed.stderr, reason);
        assert.deepEqual((await listed(own, "x"))?.generations, [1]);
        assert.equal(await outputOf(own, "x", "git --version | cut -c1-3 || echo git"), "git\n");
      }
      assert.equal(await unfinishedTrees(own), "");
    });
  },
  ["systemd"],
);

onEachHost("maintenance that fills the disk fails and changes nothing", async (site) => {
  const store = `${site.store}/.tests/full-${newJob()}`;
  const mounted = await site.host.exec([
    "sh",
    "-euc",
    `mkdir ${store}; mount -t tmpfs -o size=60M,mode=755 tests ${store}`,
  ]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    const own = await site.with({ boot: false, store, disk_reserve: 1 });
    const fill = "dd if=/dev/zero of=/srv/large bs=1M count=80 status=none";
    await define(own, "x", `source = "dir:${await smallFolder(site)}"\n`);
    await succeed(own, "chroot-create", "x");
    await define(own, "x", `source = "dir:/unused"\nsetup = ["${fill}"]\n`);
    const failed = await own.call(["chroot-maintenance", "x"], PATIENCE);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /No space left on device/);
    assert.deepEqual((await listed(own, "x"))?.generations, [1]);
    assert.equal(await unfinishedTrees(own), "");
    assert.equal(await outputOf(own, "x", "echo fine"), "fine\n");
  } finally {
    await site.host.exec(["umount", store]);
    await site.host.exec(["rmdir", store]);
  }
}, ["standalone"]);

/** A setup that takes so long that other builds meet the first one. */
const FIRST_SLOW = "[ -e /srv/made ] || sleep 15; touch /srv/made";

onEachHost(
  "two builds of one chroot: the second fails naming the first's pid, or waits at a terminal",
  async (site) => {
    await withStore(site, {}, async (own) => {
      await define(
        own,
        "x",
        `source = "dir:${await smallFolder(site)}"\nsetup = ["${FIRST_SLOW}"]\n`,
      );
      const first = own.start(["chroot-create", "x"], PATIENCE);
      await first.untilPrinted("Running [");
      assert.equal((await listed(own, "x"))?.state, "building");
      const refused = await own.call(["chroot-create", "x"]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /process \d+ works on it/);
      const words = own.words(["chroot-maintenance", "x"]).join(" ");
      const atTerminal = await own.host.exec(["script", "-qec", words, "/dev/null"], {
        ...PATIENCE,
        stdin: "",
      });
      assert.match(atTerminal.stdout, /Waiting for process \d+, which works on chroot x/);
      assert.equal((await first.ended).code, 0);
      assert.equal(atTerminal.code, 0, atTerminal.stdout);
      assert.deepEqual((await listed(own, "x"))?.generations, [1, 2]);
    });
  },
  ["standalone"],
);

onEachHost(
  "on btrfs a new generation starts as a snapshot, and old ones are removed",
  async (site) => {
    const btrfs = await site.onBtrfs();
    if (btrfs === null) return skipReal("generations on btrfs", "no btrfs can be mounted here");
    const store = `${btrfs.store}/.tests`;
    const own = await btrfs.with({ boot: false, store, keep_generations: 1 });
    const folder = await smallFolder(site);
    await define(own, "x", `source = "dir:${folder}"\n`);
    await define(own, "y", `extends = "x"\nsetup = ["echo y > /srv/y"]\n`);
    try {
      for (const name of ["x", "y"]) await succeed(own, "chroot-create", name);
      const id = newJob();
      await succeed(own, "prepare", "y", "--id", id);
      await define(own, "x", `source = "dir:${folder}"\nsetup = ["echo x > /srv/x"]\n`);
      await succeed(own, "chroot-maintenance");
      assert.equal(
        await outputOf(own, "y", "cat /srv/x /srv/y"),
        "x\ny\n",
        "what it extends came first",
      );
      assert.equal((await runScript(own, id, "ls /srv")).stdout, "y\n");
      const shown = await own.host.exec([
        "btrfs",
        "subvolume",
        "show",
        `${own.store}/.generations/y/2`,
      ]);
      assert.match(shown.stdout, /Parent UUID:\s+[0-9a-f]{8}-/, shown.stderr);
      await succeed(own, "cleanup", "--id", id);
      for (const name of ["y", "x"]) await succeed(own, "chroot-remove", name);
      const left = await own.host.exec(["sh", "-c", `find ${own.store} -inum 256`]);
      assert.equal(left.stdout, "");
    } finally {
      await own.host.exec(["rm", "-rf", store], PATIENCE);
    }
  },
  ["standalone"],
);
