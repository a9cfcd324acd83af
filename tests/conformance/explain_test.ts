/** Explanations in a job's log: full disks, time-outs, usage. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, type Site } from "../hosts/site.ts";
import { SYSTEM_FAILURE } from "./runner.ts";
import {
  assertDone,
  assertFailed,
  begin,
  leasesOf,
  onEachAttempt,
  planOf,
  withAttempt,
} from "./stages.ts";

onEachAttempt("the last stage logs what the job used", async (job) => {
  await begin(job);
  assertDone(await job.run("build_script", "head -c 20000000 /dev/urandom > /file"));
  const last = await job.run("cleanup_file_variables", "true");
  assertDone(last);
  assert.match(last.stderr, /^nspawn-runner: \d+\.\d s, .*\b\d+ MiB written$/m);
  const megabytes = Number(last.stderr.match(/(\d+) MiB written/)![1]);
  assert.ok(megabytes >= 19 && megabytes <= 40, last.stderr);
});

onEachHost(
  "a job that is ended by its time-out logs that, and a cancelled one does not",
  async (site) => {
    for (const [timeout, told] of [[1, true], [3600, false]] as const) {
      await withAttempt(
        await site.with({ boot: false }),
        { ...planOf(CHROOT), timeout },
        async (job) => {
          await begin(job);
          const running = await job.startRun("build_script", "echo begun\nsleep 60");
          await running.untilPrinted("begun");
          await site.host.signal(running, "SIGTERM");
          const { stderr } = await running.ended;
          assert.equal(
            /^nspawn-runner: Time-out: .* after 1 s\. Raise it: timeout/m.test(stderr),
            told,
          );
        },
      );
    }
  },
);

/** Runs a test with a store of 4 MiB, with the usual chroot. */
async function onSmallDisk(site: Site, body: (site: Site, disk: string) => Promise<void>) {
  const { host } = site;
  const disk = `${site.store}/.tests/small`;
  await host.exec(["mkdir", "-p", disk]);
  const mounted = await host.exec(["mount", "-t", "tmpfs", "-o", "size=4m", "small", disk]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    await host.exec(["ln", "-s", `${site.store}/${CHROOT}`, `${disk}/${CHROOT}`]);
    await body(
      await site.with({ store: disk, storage: "overlay", boot: false, disk_reserve: 1 }),
      disk,
    );
  } finally {
    await host.exec(["umount", disk]);
  }
}

onEachHost("a script that fails on a full disk logs that", async (site) => {
  await onSmallDisk(site, async (own) => {
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      const full = await job.run("build_script", "head -c 9000000 /dev/zero > /big");
      assertFailed(full, 1);
      assert.match(full.stdout, /No space left/); // GitLab Runner has one pipe for both streams
      assert.match(full.stderr, /^nspawn-runner: Disk full: .*can free some: /m);
      assertDone(await job.run("after_script", "rm /big"));
    });
  });
});

onEachHost(
  "no machine starts where the host has too little free disk, and its job is retried",
  async (site) => {
    await onSmallDisk(site, async (small, disk) => {
      const own = await small.with({ store: disk, disk_reserve: "900T" });
      await withAttempt(own, planOf(CHROOT), async (job) => {
        const prepared = await job.prepare();
        assert.equal(prepared.code, SYSTEM_FAILURE, prepared.stderr);
        assert.match(prepared.stderr, /only .* are free at .*, less than .* \(disk_reserve\)/);
        assert.deepEqual(await leasesOf(own), []);
      });
    });
  },
);

onEachHost("prepare removes caches that no job uses before it refuses a job", async (site) => {
  await onSmallDisk(site, async (small, disk) => {
    const own = await small.with({ store: disk, disk_reserve: "2M" });
    await withAttempt(own, { ...planOf(CHROOT), project: 7101 }, async (job) => {
      await begin(job);
      assertDone(await job.run("build_script", "head -c 3000000 /dev/zero >/cache/big"));
    });
    await withAttempt(own, { ...planOf(CHROOT), project: 7102 }, async (job) => {
      assertDone(await job.config());
      const prepared = await job.prepare();
      assertDone(prepared);
      assert.match(prepared.stderr, /Removing .*7101.*: disk space is short \(disk_reserve\)/);
    });
  });
});

onEachHost(
  "a full disk makes prepare fail as a system failure, and leaves nothing",
  async (site) => {
    await onSmallDisk(site, async (own, disk) => {
      await own.host.exec(["sh", "-c", `cat /dev/zero > ${disk}/filler`]);
      await withAttempt(own, planOf(CHROOT), async (job) => {
        const prepared = await job.prepare();
        assert.equal(prepared.code, SYSTEM_FAILURE, prepared.stderr);
        assert.deepEqual(await leasesOf(own), []);
      });
      await own.host.exec(["rm", `${disk}/filler`]);
      await withAttempt(own, planOf(CHROOT), begin);
    });
  },
);
