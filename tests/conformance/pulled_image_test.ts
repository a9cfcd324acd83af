/** Jobs whose images are pulled from a real registry, as pipelines for the docker executor name them. */

import assert from "node:assert/strict";
import { pushImage } from "../hosts/images.ts";
import { type Registry, REGISTRY_LOGIN } from "../hosts/registry.ts";
import type { Settings, Site } from "../hosts/site.ts";
import { planOfPulled, withImages } from "../integration/images.ts";
import type { JobPlan } from "./job.ts";
import { BUILD_FAILURE, SYSTEM_FAILURE } from "./runner.ts";
import { assertDone, assertFailed, planOf, withAttempt } from "./stages.ts";

/** Registers a test with jobs whose images are asked for at the registry, as by default. */
function withJobs(
  name: string,
  body: (site: Site, registry: Registry, job: (image: string) => JobPlan) => Promise<void>,
  settings: Settings = {},
): void {
  withImages(name, { pull_policy: ["always"], ...settings }, async (site, registry) => {
    await body(site, registry, (image) => planOfPulled(`${registry.address}/${image}`));
  });
}

/** Runs the stages of a job before its script, then the script; returns the script's output. */
async function outputOf(site: Site, plan: JobPlan, script: string): Promise<string> {
  let output = "";
  await withAttempt(site, plan, async (job) => {
    assertDone(await job.config());
    assertDone(await job.prepare());
    assertDone(await job.run("get_sources", `mkdir -p ${job.project()}; git --version >&2`));
    const done = await job.run("build_script", `cd ${job.project()}; ${script}`);
    assertDone(done);
    output = done.stdout;
  });
  return output;
}

/** Returns the failure of a job that cannot be prepared; the config stage may fail already. */
async function refusalOf(site: Site, plan: JobPlan, code = BUILD_FAILURE): Promise<string> {
  let message = "";
  await withAttempt(site, plan, async (job) => {
    const configured = await job.config();
    const failed = configured.code === 0 ? await job.prepare() : configured;
    assert.equal(failed.code, code, failed.stderr);
    message = failed.stderr;
  });
  return message;
}

withJobs(
  "a job runs on a pulled image with its environment, folder and user, by tag and by digest",
  async (site, registry, job) => {
    const digest = await pushImage(registry, "group/tools:1", {
      layers: [
        "mkdir -p opt/tools; printf '#!/bin/sh\\necho tool\\n' >opt/tools/tool; chmod 755 opt/tools/tool",
        "mkdir -p etc; printf 'root:x:0:0::/root:/bin/sh\\nci:x:1000:1000::/home/ci:/bin/sh\\n' >etc/passwd",
      ],
      config: [
        "--config.env=PATH=/opt/tools:/bin",
        "--config.env=GREETING=hello world",
        "--config.env=CI_JOB_STAGE=of the image",
        "--config.user=1000",
        "--config.workingdir=/srv",
      ],
    });
    const look = "tool; echo $GREETING; id -u; echo $HOME; touch mine; cat $CONF_FILE; ls /srv";
    const seen = "tool\nhello world\n1000\n/home/ci\nthe contents of a file\n";
    assert.equal(await outputOf(site, job("group/tools:1"), look), seen);

    await pushImage(registry, "group/tools:1", { layers: ["echo moved >moved"] });
    assert.equal(await outputOf(site, job("group/tools:1"), "cat /moved"), "moved\n");
    assert.equal(await outputOf(site, job(`group/tools@${digest}`), look), seen);
    assert.equal(await outputOf(site, job(`group/tools:1@${digest}`), "tool"), "tool\n");
    const asNobody = {
      ...job("group/tools:1"),
      imageOptions: { executor_opts: { docker: { user: "65534", platform: "" } } },
    };
    assert.equal(await outputOf(site, asNobody, "id -u; touch mine"), "65534\n");
  },
);

withJobs(
  "an image that is missing, denied or not allowed fails once, as the user's failure, with the reason",
  async (site, registry, job) => {
    await pushImage(registry, "group/a:1");
    assert.match(
      await refusalOf(site, job("group/a:2")),
      new RegExp(`${registry.address}/group/a:2`),
    );
    assert.match(await refusalOf(site, { ...job("group/a:1"), credentials: {} }), /group\/a:1/);
    const elsewhere = await refusalOf(site, planOf("other.example/group/a:1"));
    assert.match(elsewhere, /other\.example\/group\/a:1/);
    assert.match(elsewhere, new RegExp(`pull = .*${registry.address}`));
    const policy = await refusalOf(site, {
      ...job("group/a:1"),
      imageOptions: { pull_policy: ["if-not-present"] },
    });
    assert.match(policy, /if-not-present/);
    assert.match(policy, /always/);
    await registry.stop();
    await refusalOf(site, job("group/a:1"), SYSTEM_FAILURE);
  },
);

withJobs(
  "pull policies: a local copy where the registry is down, and no copy for a job without access",
  async (site, registry, job) => {
    await pushImage(registry, "group/a:1", { layers: ["echo one >mark"] });
    const fallback = {
      ...job("group/a:1"),
      imageOptions: { pull_policy: ["always", "if-not-present"] },
    };
    assert.equal(await outputOf(site, fallback, "cat /mark"), "one\n");
    await refusalOf(site, { ...job("group/a:1"), credentials: {} });
    await registry.stop();
    assert.equal(
      await outputOf(site, { ...fallback, id: fallback.id + 500 }, "cat /mark"),
      "one\n",
    );
    const never = { ...job("group/a:2"), imageOptions: { pull_policy: ["never"] } };
    assert.match(await refusalOf(site, never), /group\/a:2/);
  },
  { allowed_pull_policies: ["always", "if-not-present", "never"] },
);

withJobs(
  "of all credentials the one with the longest path is used, and none is left on the host",
  async (site, registry, job) => {
    await pushImage(registry, "group/img:1");
    const wrong = { auth: btoa("ci:EXAMPLE-WRONG-PASSWORD") };
    const right = { auth: btoa(REGISTRY_LOGIN) };
    const auths = { [registry.address]: wrong, [`${registry.address}/group`]: right };
    const plan = {
      ...job("group/img:1"),
      credentials: {},
      dockerAuthConfig: JSON.stringify({ auths }),
    };
    assert.equal(await outputOf(site, plan, "echo ran"), "ran\n");
    for (const secret of [right.auth, wrong.auth]) {
      const found = await site.host.exec([
        ...["grep", "-rlF", "--devices=skip", secret, "/run/nspawn-runner", site.store],
      ]);
      assert.equal(found.stdout, "");
    }
  },
);

withJobs(
  "an entrypoint that runs its arguments prints first; one that swallows the script is an error",
  async (site, registry, job) => {
    const entry = (body: string) => ({
      layers: [`printf '#!/bin/sh\\n${body}\\n' >entry; chmod 755 entry`],
      config: ["--config.entrypoint=/entry"],
    });
    await pushImage(registry, "group/exec:1", entry('echo "entry of $CI_JOB_ID"; exec "$@"'));
    await pushImage(registry, "group/swallow:1", entry("echo usage; exit 0"));
    const exec = job("group/exec:1");
    assert.equal(await outputOf(site, exec, "echo script"), `entry of ${exec.id}\nscript\n`);
    await withAttempt(site, job("group/swallow:1"), async (swallowing) => {
      assertDone(await swallowing.config());
      assertDone(await swallowing.prepare());
      const done = await swallowing.run("build_script", "echo script");
      assert.notEqual(done.code, 0);
      assert.match(done.stdout, /usage/);
      assert.match(`${done.stdout}${done.stderr}`, /entrypoint: \[""\]/);
    });
    const cleared = { ...job("group/swallow:1"), imageOptions: { entrypoint: [""] } };
    assert.equal(await outputOf(site, cleared, "echo script"), "script\n");
  },
);

withJobs(
  "an image of one program without a shell says what it lacks",
  async (site, registry, job) => {
    await pushImage(registry, "group/none:1", { isEmpty: true, layers: ["echo x >file"] });
    await withAttempt(site, job("group/none:1"), async (shellless) => {
      assertDone(await shellless.config());
      const prepared = await shellless.prepare();
      const done = prepared.code === 0
        ? await shellless.run("build_script", "echo script")
        : prepared;
      assert.equal(done.code, BUILD_FAILURE, done.stderr);
      assert.match(`${done.stdout}${done.stderr}`, /shell/);
    });
  },
);

withJobs(
  "what a script installs is there after it, and its exit code is reported",
  async (site, registry, job) => {
    await pushImage(registry, "group/a:1");
    await withAttempt(site, job("group/a:1"), async (own) => {
      assertDone(await own.config());
      assertDone(await own.prepare());
      assertDone(
        await own.run("get_sources", `mkdir -p ${own.project()}; echo file >${own.project()}/file`),
      );
      assertFailed(
        await own.run(
          "build_script",
          `cat ${own.project()}/file; echo tool >/bin/own; sleep 1000 & exit 42`,
        ),
        42,
      );
      const after = await own.run("after_script", `cat /bin/own ${own.project()}/file`);
      assertDone(after);
      assert.equal(after.stdout, "tool\nfile\n");
    });
  },
);
