/** Artifacts and caches: scripts call gitlab-runner in the machine. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, type Site } from "../hosts/site.ts";
import { BUILD_FAILURE } from "./runner.ts";
import { RUNNER, withRunner } from "./runner_stand_in.ts";
import { assertDone, begin, leasesOf, planOf, withAttempt } from "./stages.ts";

const withPlainRunner = async (site: Site, program?: string) =>
  (await withRunner(site, program)).with({ boot: false });

/** The condition that GitLab Runner writes around each call. */
const guarded = (call: string) =>
  `if gitlab-runner --version >/dev/null 2>&1; then\n  ${call}\nelse\n  echo missing\nfi`;

onEachHost("artifacts and caches go through the host's gitlab-runner", async (site) => {
  const own = await withPlainRunner(site);
  const plan = () => ({
    ...planOf(CHROOT),
    project: 7101,
    artifacts: ["out"],
    cache: ["deps"],
  });
  const archive = '--file "../../../cache/group/project/default/cache.zip"';
  for (const found of ["", "kept\n"]) {
    await withAttempt(own, plan(), async (job) => {
      await begin(job);
      const cd = `cd ${job.project()}\n`;
      assertDone(await job.run("get_sources", `mkdir -p ${job.project()}`));
      assertDone(
        await job.run(
          "restore_cache",
          `${cd}${guarded(`gitlab-runner cache-extractor ${archive}`)}`,
        ),
      );
      const script =
        `${cd}cat deps/file 2>/dev/null || true; mkdir -p deps out; echo kept > deps/file`;
      const built = await job.run("build_script", script);
      assertDone(built);
      assert.equal(built.stdout, found);
      assertDone(
        await job.run(
          "archive_cache",
          `${cd}${guarded(`gitlab-runner cache-archiver ${archive} --path deps`)}`,
        ),
      );
      const uploaded = await job.run(
        "upload_artifacts_on_success",
        `${cd}${guarded("gitlab-runner artifacts-uploader --path out")}`,
      );
      assert.equal(uploaded.stdout, "out/\n");
      assertDone(uploaded);
    });
  }
});

onEachHost("the helper in a machine cannot be written to", async (site) => {
  const own = await withPlainRunner(site);
  await withAttempt(own, planOf(CHROOT), async (job) => {
    await begin(job);
    const done = await job.run("build_script", 'echo x >> "$(command -v gitlab-runner)"');
    assert.notEqual(done.code, 0);
  });
  assert.equal(await Deno.readTextFile(site.host.outerPath(await helperOf(own))), RUNNER);
});

async function helperOf(site: Site): Promise<string> {
  const config = await Deno.readTextFile(site.host.outerPath(site.config));
  return config.match(/^gitlab_runner = "(.*)"$/m)![1]!;
}

for (
  const [name, setting, reason] of [
    ["no gitlab-runner", "none", /need gitlab-runner, and neither/],
    [
      "one that does not run",
      "#!/bin/sh\necho no such machine >&2\nexit 1\n",
      /no such machine[^]*does not run/,
    ],
    ["one that is configured and missing", "missing", /no program is there/],
  ] as const
) {
  onEachHost(`a job with artifacts fails in prepare where there is ${name}`, async (site) => {
    const own = setting === "none"
      ? await site.with({ boot: false })
      : setting === "missing"
      ? await site.with({ boot: false, gitlab_runner: "/no/such/gitlab-runner" })
      : await withPlainRunner(site, setting);
    await withAttempt(own, { ...planOf(CHROOT), artifacts: ["out"] }, async (job) => {
      assertDone(await job.config());
      const prepared = await job.prepare();
      assert.equal(prepared.code, BUILD_FAILURE, prepared.stderr);
      assert.match(prepared.stderr, reason);
      assert.deepEqual(await leasesOf(site), [], "no machine is left");
    });
    // A job without artifacts goes on, except with a configuration that is wrong for all jobs.
    if (setting === "missing") return;
    await withAttempt(own, planOf(CHROOT), begin);
  });
}
