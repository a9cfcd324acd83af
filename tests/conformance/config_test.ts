/** Decisions and messages of the config and prepare stages. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";
import { BUILD_FAILURE } from "./runner.ts";
import { assertDone, begin, leasesOf, planOf, withAttempt } from "./stages.ts";

onEachHost("config answers with folders, shell, host and its decisions", async (site) => {
  const plan = planOf(CHROOT);
  await withAttempt(site, plan, async (job) => {
    const { stdout, stderr } = await job.config();
    const answer = JSON.parse(stdout);
    assert.equal(stderr, "");
    assert.equal(answer.driver.name, "nspawn-runner");
    assert.match(answer.driver.version, /^\d+\.\d+\.\d+$/);
    assert.equal(answer.hostname, (await site.host.exec(["uname", "-n"])).stdout.trim());
    assert.deepEqual(
      [answer.builds_dir, answer.cache_dir, answer.builds_dir_is_shared, answer.shell],
      ["/builds", "/cache", false, "bash"],
    );
    assert.match(answer.job_env.NSPAWN_RUNNER_MACHINE, new RegExp(`^run-${plan.id}-[0-9a-f]{8}$`));
    assert.equal(answer.job_env.NSPAWN_RUNNER_CHROOT, CHROOT);
    for (const [name, value] of Object.entries(answer.job_env)) {
      assert.match(name, /^NSPAWN_RUNNER_/);
      assert.equal(typeof value, "string");
    }
  });
});

onEachHost(
  "an image that is not allowed is the user's failure, which lists the allowed ones",
  async (site) => {
    const strict = await site.with({ allowed_images: ["debian-*", "x"] });
    await withAttempt(strict, planOf(CHROOT), async (job) => {
      const denied = [await job.config(), await job.prepare()];
      for (const { code, stderr } of denied) {
        assert.equal(code, BUILD_FAILURE);
        assert.match(stderr, /jobs may not use that chroot[^]*allowed_images/);
        assert.doesNotMatch(stderr, new RegExp(`Jobs may use:.*${CHROOT}`));
      }
    });
    // An image that only prepare knows is decided there, by the same rule.
    const section = {
      config: ["gitlab-config"],
      prepare: ["prepare", CHROOT],
      run: [],
      cleanup: ["cleanup"],
    };
    await withAttempt(strict, planOf(""), async (job) => {
      assertDone(await job.config());
      assert.equal((await job.prepare()).code, BUILD_FAILURE);
    }, section);
    const open = await site.with({ allowed_images: ["book*"], boot: false });
    await withAttempt(open, planOf(CHROOT), begin);
    assert.deepEqual(await leasesOf(site), []);
  },
);

onEachHost(
  "config refuses declared services that the job may not use, before anything is started",
  async (site) => {
    const plan = (...names: string[]) => ({
      ...planOf(CHROOT),
      services: names.map((name) => ({ name })),
    });
    await withAttempt(site, plan(CHROOT, "registry.example/postgres:15"), async (job) => {
      const refused = await job.config();
      assert.equal(refused.code, BUILD_FAILURE);
      assert.match(
        refused.stderr,
        /Cannot start service "registry\.example\/postgres:15": cannot use image .* no such chroot/,
      );
    });
    const strict = await site.with({ services_limit: 1 });
    await withAttempt(strict, plan(CHROOT, CHROOT), async (job) => {
      const refused = await job.config();
      assert.equal(refused.code, BUILD_FAILURE);
      assert.match(refused.stderr, /Cannot start 2 services: at most 1 are allowed/);
    });
    await withAttempt(strict, plan(CHROOT), async (job) => assertDone(await job.config()));
    assert.deepEqual(await leasesOf(site), []);
  },
);

onEachHost("prepare names a job's NSPAWN_ variable that does not exist", async (site) => {
  const overrides = { NSPAWN_MEMORY_MX: "1G" };
  await withAttempt(
    await site.with({ boot: false }),
    { ...planOf(CHROOT), overrides },
    async (job) => {
      assertDone(await job.config());
      const prepared = await job.prepare();
      assertDone(prepared);
      assert.match(prepared.stderr, /"NSPAWN_MEMORY_MX" .* did you mean NSPAWN_MEMORY_MAX\?$/m);
      assert.doesNotMatch(prepared.stderr, /NSPAWN_RUNNER_/);
    },
  );
});

onEachHost("a stage after a failed config still finds its machine", async (site) => {
  const own = await site.with({ boot: false });
  await withAttempt(own, planOf(CHROOT), async (job) => {
    assertDone(await job.prepare()); // without a config stage before
    const named = await job.run("build_script", "hostname");
    assertDone(named);
    const [lease] = await leasesOf(site);
    assert.equal(named.stdout.trim(), lease!.machine);
  });
});
