/** Caches and builds that outlive jobs. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, type Site } from "../hosts/site.ts";
import type { JobPlan } from "./job.ts";
import { assertDone, begin, planOf, withAttempt } from "./stages.ts";

const LOOK = "cat /cache/whose 2>/dev/null || echo nothing";

/** Runs a job with one script and returns its output. */
async function said(site: Site, plan: Partial<JobPlan>, script: string): Promise<string> {
  let stdout = "";
  await withAttempt(site, { ...planOf(CHROOT), ...plan }, async (job) => {
    await begin(job);
    const done = await job.run("build_script", script);
    assertDone(done);
    stdout = done.stdout;
  });
  return stdout.trim();
}

onEachHost("a cache belongs to one project of one server, protected or not", async (site) => {
  const own = await site.with({ boot: false });
  const mine = { project: 7001, isProtected: true };
  await said(own, mine, "echo mine > /cache/whose");
  assert.equal(await said(own, mine, LOOK), "mine");
  assert.equal(await said(own, { ...mine, isProtected: false }, LOOK), "nothing");
  assert.equal(await said(own, { ...mine, isProtected: undefined }, LOOK), "nothing");
  assert.equal(await said(own, { ...mine, project: 7002 }, LOOK), "nothing");
  assert.equal(await said(own, { ...mine, instance: "another" }, LOOK), "nothing");
  // GitLab and GitLab Runner before 18.3 say it in a variable, which no job can make true.
  const older = { ...mine, isProtected: undefined };
  assert.equal(await said(own, { ...older, refProtected: "true" }, LOOK), "mine");
  const overrides = { CI_COMMIT_REF_PROTECTED: "true" };
  for (const one of [{}, { overrides }]) {
    assert.equal(await said(own, { ...older, refProtected: "false", ...one }, LOOK), "nothing");
  }
  // A job of a merge request cannot reach the cache of releases either.
  await said(own, { ...mine, isProtected: false }, "echo evil > /cache/whose");
  assert.equal(await said(own, mine, LOOK), "mine");
});

onEachHost(
  "jobs share a cache while they run, and each has a builds folder of its own",
  async (site) => {
    const own = await site.with({ boot: false, persistent_builds: true });
    const plan = () => ({ ...planOf(CHROOT), project: 7003 });
    const look = "cat /builds/whose /cache/whose 2>/dev/null || true";
    await withAttempt(own, plan(), async (one) => {
      await begin(one);
      assertDone(
        await one.run("build_script", "echo one > /builds/whose; echo shared > /cache/whose"),
      );
      await withAttempt(own, plan(), async (other) => {
        await begin(other);
        assert.equal((await other.run("build_script", look)).stdout, "shared\n");
        assertDone(await other.run("build_script", "echo other > /builds/whose"));
      });
      assert.equal((await one.run("build_script", look)).stdout, "one\nshared\n");
    });
    // The first slot is free again, with the files that were built there.
    assert.equal(await said(own, { project: 7003 }, look), "one\nshared");
    assert.equal(await said(own, { project: 7003, isProtected: false }, look), "");
  },
);

onEachHost("builds are removed with the machine unless persistent_builds is on", async (site) => {
  const own = await site.with({ boot: false });
  await said(own, { project: 7004 }, "mkdir -p /builds && echo here > /builds/file");
  assert.equal(
    await said(own, { project: 7004 }, "ls /builds/file 2>/dev/null || echo none"),
    "none",
  );
});

onEachHost("gc removes caches that are old or too large, and none in use", async (site) => {
  const own = await site.with({ boot: false });
  await said(own, { project: 7005 }, "head -c 3000000 /dev/zero > /cache/big");
  await said(own, { project: 7006 }, "echo small > /cache/whose");
  const { host, store } = site;
  const find = async (project: number) =>
    (await host.exec(["sh", "-c", `ls -d ${store}/.cache/*/${project}/protected`])).stdout.trim();
  const [big, small] = [await find(7005), await find(7006)];

  await withAttempt(own, { ...planOf(CHROOT), project: 7005 }, async (job) => {
    await begin(job);
    await host.exec(["touch", "-d", "40 days ago", big]);
    const kept = await own.call(["gc"]);
    assert.equal(kept.code, 0, kept.stderr);
    assert.equal(await find(7005), big, "a job uses it");
  });
  const dry = await own.call(["gc", "--dry-run"]);
  assert.match(dry.stdout, new RegExp(`^Would remove ${big}: unused for 40 days`, "m"));
  assert.equal(await find(7005), big);
  assert.equal((await own.call(["gc"])).code, 0);
  assert.equal(await find(7005), "");

  await said(own, { project: 7005 }, "head -c 3000000 /dev/zero > /cache/big");
  await host.exec(["touch", "-d", "1 hour ago", big]);
  const tight = await site.with({ cache_max_size: "2M" });
  const full = await tight.call(["gc"]);
  assert.match(
    full.stdout,
    new RegExp(`^Removing ${big}: .*; newer caches already fill cache_max_size$`, "m"),
  );
  assert.equal(await find(7006), small, "the one that was used last stays");
  assert.equal((await host.exec(["sh", "-c", `ls -A ${store}/.cache | grep leaving`])).stdout, "");
});
