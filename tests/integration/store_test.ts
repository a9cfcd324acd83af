/** Stores that are not there, that other hosts use, and that have several paths. */

import assert from "node:assert/strict";
import { assertDone, begin, leasesOf, planOf, withAttempt } from "../conformance/stages.ts";
import type { Result } from "../hosts/command.ts";
import type { TestHost } from "../hosts/host.ts";
import { until } from "../hosts/init_process.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site } from "../hosts/site.ts";
import { define, linkChroot, listed, PATIENCE, smallFolder, succeed, withStore } from "./store.ts";

/** Exit code of a failure that GitLab Runner retries. */
const HOST_FAILURE = 2;

/** GitLab Runner's variables for exit codes. */
const CODES = {
  env: { SYSTEM_FAILURE_EXIT_CODE: `${HOST_FAILURE}`, BUILD_FAILURE_EXIT_CODE: "1" },
};

/** Arguments: files with another machine id and boot id, then a command: runs it as on another host. */
const AS_OTHER_HOST = `mount --bind "$1" /etc/machine-id
umount -q /proc/sys/kernel/random/boot_id || : # systemd-nspawn gives a container one
mount --bind "$2" /proc/sys/kernel/random/boot_id
mount -t tmpfs tests /run/nspawn-runner
shift 2; exec "$@"`;

/** Returns how the program is called on another host that has the same store and configuration. */
async function otherHost(own: Site): Promise<(...words: string[]) => Promise<Result>> {
  const id = await own.put(`${"0123456789abcdef".repeat(2)}\n`);
  const boot = await own.put("01234567-89ab-cdef-0123-456789abcdef\n");
  const wrapper = ["unshare", "--mount", "sh", "-euc", AS_OTHER_HOST, "sh", id, boot];
  return (...words) => own.host.exec([...wrapper, ...own.words(words)], { ...PATIENCE, ...CODES });
}

/** Lists what a store holds, without the files of machines and of chroots. */
async function entriesIn({ host, store }: Site): Promise<string> {
  const find = `cd ${store} && find . -maxdepth 4 ! -path '*/[0-9]/*' ! -path './.machines/*/*' |
sort`;
  return (await host.exec(["sh", "-c", find])).stdout;
}

onEachHost(
  "another host changes nothing in a store that a host uses, whatever version it has",
  async (site) => {
    const root = await smallFolder(site);
    await withStore(site, { cache_max_size: 1, keep_generations: 1 }, async (own) => {
      await define(own, "x", `source = "dir:${root}"\nrecreate = true\n`);
      await succeed(own, "chroot-create", "x");
      const other = await otherHost(own);
      await withAttempt(own, { ...planOf("x"), project: 7302 }, async (job) => {
        await begin(job);
        const [lease] = await leasesOf(own);
        const id = lease!.machine.replace(/^run-/, "");
        const path = own.host.outerPath(`${own.store}/.leases/${lease!.machine}.json`);
        const mark = own.host.outerPath(`${own.store}/.host`);
        const later = { ...lease, version: 2, deadline: undefined };
        for (const [written, marked] of [[lease, false], [later, false], [later, true]] as const) {
          await Deno.writeTextFile(path, JSON.stringify(written));
          if (marked) await Deno.writeTextFile(mark, `${lease!.host} first.example\n`);
          const before = await entriesIn(own);
          const reason = marked
            ? /Cannot use store .*: it is that of another host, first\.example/
            : /Cannot use store .*: another host has machine run-.* in it/;
          const calls = [
            ["prepare", "x", "--id", newJob()],
            ["prepare", "x", "--id", id],
            ["chroot-maintenance", "x"],
            ["chroot-remove", "x"],
          ];
          for (const words of marked ? [...calls, ["gc"]] : calls) {
            const refused = await other(...words);
            assert.equal(refused.code, HOST_FAILURE, `${words.join(" ")}\n${refused.stderr}`);
            // The lease of another version is refused for its own sake.
            if (words !== calls[1]) assert.match(refused.stderr, reason, words.join(" "));
          }
          if (!marked) {
            const collected = await other("gc");
            assert.deepEqual([collected.code, collected.stdout], [0, ""], collected.stderr);
          }
          await other("cleanup", "--id", id);
          assert.equal(await entriesIn(own), before);
        }
        await Deno.writeTextFile(path, JSON.stringify(lease));
        assertDone(await job.run("build_script", "echo here > /cache/here"));
        // The host that is named goes on.
        assert.equal((await own.call(["gc"])).stdout, "");
        await Deno.remove(mark);
      });
      assert.deepEqual((await listed(own, "x"))?.generations, [1]);
    });
    await site.host.exec(["rm", "-rf", root]);
    assert.deepEqual(await leftovers(site.host), []);
  },
);

/** Checks that calls fail as the host's fault, which would make chroots on another disk, or fail as the job's own fault. */
async function whereUnmounted(own: Site, point: string): Promise<void> {
  for (const words of [["prepare", CHROOT, "--id", newJob()], ["chroot-maintenance"], ["gc"]]) {
    const refused = await own.call(words, { ...PATIENCE, ...CODES });
    assert.equal(refused.code, HOST_FAILURE, refused.stderr);
    assert.ok(refused.stderr.includes(`${point} of /etc/fstab is not mounted`), refused.stderr);
  }
}

/** Starts and ends a machine. */
async function works(own: Site): Promise<void> {
  const id = newJob();
  await succeed(own, "prepare", CHROOT, "--id", id);
  await succeed(own, "cleanup", "--id", id);
}

/** Waits until what an ended machine wrote is removed, which keeps the mount busy. */
async function unmount(host: TestHost, command: readonly string[]): Promise<void> {
  const isDone = async () => (await host.exec(command)).code === 0 || null;
  assert.ok(await until(isDone, 20_000), command.join(" "));
}

onEachHost("a store whose disk is not mounted is refused, also behind a symlink", async (site) => {
  const { host } = site;
  const point = `${host.store}/.tests/disk-${newJob()}`;
  const lines = (options: string) => `tests ${point} tmpfs ${options} 0 0\n`;
  const [fstab] = [host.outerPath("/etc/fstab")];
  const before = await Deno.readTextFile(fstab).catch(() => "");
  const mount = () => host.exec(["mount", "-t", "tmpfs", "tests", point]);
  await host.exec(["mkdir", point]);
  await host.exec(["ln", "-s", `${point}/store`, `${point}-link`]);
  try {
    for (const store of [`${point}/store`, `${point}-link`]) {
      await Deno.writeTextFile(fstab, before + lines("defaults"));
      const own = await site.with({ store, boot: false });
      await define(own, "defined", `source = "dir:/"\n`);
      assert.equal((await mount()).code, 0);
      await host.exec(["mkdir", "-p", `${point}/store`]);
      await linkChroot({ ...own, store: `${point}/store` }, site);
      await works(own);
      await unmount(host, ["umount", point]);
      await whereUnmounted(own, point);
      assert.equal((await host.exec(["ls", "-A", point])).stdout, "", "nothing is made there");
      // Such a disk is mounted by hand, so that the host does not lack it.
      await Deno.writeTextFile(fstab, before + lines("defaults,noauto"));
      await whereUnmounted(own, point);
      await host.exec(["mkdir", "-p", `${point}/store/.generations`]);
      await linkChroot({ ...own, store: `${point}/store` }, site);
      await works(own);
      await Deno.writeTextFile(fstab, before + lines("noauto,x-systemd.automount"));
      await whereUnmounted(own, point);
      await host.exec(["rm", "-rf", `${point}/store`]);
    }
  } finally {
    await Deno.writeTextFile(fstab, before);
    await host.exec(["umount", "-q", point]);
    await host.exec(["rm", "-rf", point, `${point}-link`]);
  }
}, ["systemd"]);

onEachHost("a store is the same by each path that leads to it", async (site) => {
  await withStore(site, { cache_max_size: 1 }, async (own) => {
    await linkChroot(own, site);
    const link = `${own.store}-link`;
    await own.host.exec(["ln", "-s", own.store, link]);
    const linked = await own.with({ store: link });
    await withAttempt(linked, { ...planOf(CHROOT), project: 7303 }, async (job) => {
      await begin(job);
      assertDone(await job.run("build_script", "echo kept > /cache/mine"));
      const [lease] = await leasesOf(own);
      const path = own.host.outerPath(`${own.store}/.leases/${lease!.machine}.json`);
      // Earlier versions wrote the path of the configuration.
      await Deno.writeTextFile(
        path,
        JSON.stringify(lease).replaceAll(`${own.store}/`, `${link}/`)
          .replace(`"store":"${own.store}"`, `"store":"${link}"`),
      );
      for (const one of [own, linked]) {
        assert.equal((await one.call(["gc"])).stdout, "", "its cache is in use");
      }
      assertDone(await job.run("after_script", "cat /cache/mine"));
    });
    // A damaged lease, whose machine has ended.
    const id = newJob();
    await succeed(linked, "prepare", CHROOT, "--id", id);
    const lease = (await leasesOf(own)).find(({ machine }) => machine === `run-${id}`);
    assert.equal((await runScript(linked, id, "echo here")).stdout, "here\n");
    await own.host.exec(["truncate", "--size=20", `${own.store}/.leases/run-${id}.json`]);
    await own.host.exec(["sh", "-c", 'kill -s KILL "$1"', "sh", `${lease!.leader!.pid}`]);
    const collect = async () => {
      const { stdout } = await linked.call(["gc"]);
      return stdout.includes(`run-${id}: no record of it`) ? true : null;
    };
    assert.ok(await until(collect, 20_000));
    assert.equal((await own.host.exec(["ls", "-A", `${own.store}/.leases`])).stdout, "");
    await own.host.exec(["rm", link]);
  });
  assert.deepEqual(await leftovers(site.host), []);
});
