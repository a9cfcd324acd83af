/** What jobs ask for with images of a registry: which image, by whose credentials, how often, and for which user. */

import assert from "node:assert/strict";
import type { JobPlan } from "../conformance/job.ts";
import { BUILD_FAILURE, type StageResult, SYSTEM_FAILURE } from "../conformance/runner.ts";
import { assertDone, planOf, withAttempt } from "../conformance/stages.ts";
import { REGISTRY_LOGIN } from "../hosts/registry.ts";
import type { Site } from "../hosts/site.ts";
import { debian, imageIn, withImages } from "./images.ts";

/** Calls the stages before the script; returns the last one, with the messages of both. */
async function prepared(own: Site, plan: JobPlan, script?: string): Promise<StageResult> {
  let result: StageResult | undefined;
  await withAttempt(own, plan, async (job) => {
    const config = await job.config();
    result = config;
    if (config.code !== 0) return;
    const prepare = await job.prepare();
    result = { ...prepare, stderr: config.stderr + prepare.stderr };
    if (prepare.code !== 0 || script === undefined) return;
    result = await job.run("build_script", script);
  });
  return result!;
}

const PASSWORD = REGISTRY_LOGIN.split(":")[1]!;

/** Returns Docker's JSON with a login for each key. */
function auths(logins: Readonly<Record<string, string>>): string {
  const entries = Object.entries(logins).map(([key, login]) => [key, { auth: btoa(login) }]);
  return JSON.stringify({ auths: Object.fromEntries(entries) });
}

withImages(
  "a private image is pulled with the job's own credentials, which are left nowhere",
  { pull_policy: ["always"] },
  async (own, registry) => {
    const { address } = registry;
    const image = await imageIn(registry, "team/x:1", { layers: [await debian()], isEmpty: true });
    const jobs: readonly (readonly [Partial<JobPlan>, RegExp | null])[] = [
      [{}, null],
      [{ credentials: { [address]: "ci:wrong" } }, null],
      [{ credentials: { [address]: REGISTRY_LOGIN } }, /^Using credentials for \S+ from GitLab/m],
      [{
        dockerAuthConfig: auths({ [address]: "ci:wrong", [`${address}/team`]: REGISTRY_LOGIN }),
      }, /^Using credentials for \S+\/team from DOCKER_AUTH_CONFIG$/m],
      [{
        dockerAuthConfig: auths({ [address]: "ci:wrong" }),
        credentials: { [address]: REGISTRY_LOGIN },
      }, null],
      // The image is on the host by now, but this job has no access.
      [{}, null],
    ];
    for (const [index, [more, line]] of jobs.entries()) {
      const done = await prepared(own, { ...planOf(image), ...more });
      const text = `${index}: ${done.stderr}`;
      if (line === null) {
        assert.equal(done.code, BUILD_FAILURE, text);
        assert.match(done.stderr, /Cannot pull image \S+team\/x:1: \S+ denies access/, text);
      } else {
        assert.equal(done.code, 0, text);
        assert.match(done.stderr, line, text);
      }
      assert.ok(!done.stderr.includes(PASSWORD) && !done.stderr.includes(btoa(REGISTRY_LOGIN)));
    }
    const search = `grep -rlFe "$1" -e "$2" "$3" /run/nspawn-runner 2>/dev/null || true`;
    const words = [btoa(REGISTRY_LOGIN), REGISTRY_LOGIN, own.store];
    const found = await own.host.exec(["sh", "-c", search, "sh", ...words]);
    assert.equal(found.stdout, "");
  },
  true,
  ["systemd"],
);

withImages(
  "a job's pull policies count in its order where they are allowed, also while the registry is down",
  { pull_policy: ["always"] },
  async (own, registry) => {
    const image = await imageIn(registry, "x:1", { layers: [await debian()], isEmpty: true });
    const asking = (...pull_policy: string[]): JobPlan => ({
      ...planOf(image),
      imageOptions: { pull_policy },
      credentials: { [registry.address]: REGISTRY_LOGIN },
    });
    const denied = await prepared(own, asking("if-not-present", "never"));
    assert.equal(denied.code, BUILD_FAILURE);
    assert.match(
      denied.stderr,
      /"if-not-present, never" of the job: allowed on this host: always/,
    );
    const open = await own.with({ allowed_pull_policies: ["always", "if-not-present", "never"] });
    const absent = await prepared(open, asking("never"));
    assert.equal(absent.code, BUILD_FAILURE, absent.stderr);
    assertDone(await prepared(open, asking("if-not-present")));
    await registry.stop();
    const present = await prepared(open, asking("always", "if-not-present"));
    assert.equal(present.code, 0, present.stderr);
    assert.match(present.stderr, /trying the next pull policy[^]*Using the copy of image/);
    assertDone(await prepared(open, asking("never")));
    const down = await prepared(open, asking("always"));
    assert.equal(down.code, SYSTEM_FAILURE, down.stderr);
  },
  true,
  ["standalone"],
);

withImages(
  "a job gets the image of its digest, though its tag has moved, and its own user",
  { pull_policy: ["always"] },
  async (own, registry) => {
    const { address } = registry;
    const credentials = { [address]: REGISTRY_LOGIN };
    const push = async (content: string) =>
      await imageIn(registry, "a/b/c/x:1", {
        layers: [await debian(), `mkdir srv && echo ${content} >srv/content`],
        isEmpty: true,
      });
    const image = await push("first");
    const plan = (name: string, more: Partial<JobPlan> = {}): JobPlan => ({
      ...planOf(name),
      credentials,
      ...more,
    });
    const first = await prepared(own, plan(image));
    assert.equal(first.code, 0, first.stderr);
    const digest = first.stderr.match(/sha256:[0-9a-f]{64}/)?.[0];
    await push("second");
    const read = "cat /srv/content; id -un";
    const options = { executor_opts: { docker: { platform: "", user: "$WHO" } } };
    const own_user = { imageOptions: options, overrides: { WHO: "daemon" } };
    assert.equal((await prepared(own, plan(image), read)).stdout, "second\nroot\n");
    const pinned = await prepared(own, plan(`${image}@${digest}`, own_user), read);
    assert.equal(pinned.stdout, "first\ndaemon\n", pinned.stderr);
    const byDefault = await own.with({ default_image: image });
    assert.equal((await prepared(byDefault, plan(""), read)).stdout, "second\nroot\n");

    const untagged = `${image.replace(/:1$/, "")}@${digest}`;
    assert.equal((await prepared(own, plan(untagged), read)).stdout, "first\nroot\n");

    const missing = await prepared(own, plan(`${address}/a/b/c/x:none`));
    assert.equal(missing.code, BUILD_FAILURE);
    assert.match(missing.stderr, /Cannot pull image \S+x:none: \S+ does not have it/);
    const foreign = { executor_opts: { docker: { platform: "linux/mips64le", user: "" } } };
    const refused = await prepared(own, plan(image, { imageOptions: foreign }));
    assert.equal(refused.code, BUILD_FAILURE, refused.stderr);
    assert.match(refused.stderr, /Cannot run programs of platform "linux\/mips64le"/);
    const elsewhere = await prepared(own, planOf("other.example/group/a:1"));
    assert.equal(elsewhere.code, BUILD_FAILURE);
    assert.match(elsewhere.stderr, /pull = \["\S+\/\*\*", "other\.example\/group\/a:\*"\]/);
    const excluded = await own.with({ pull: ["**", "!**/x:*"] });
    const denied = await prepared(excluded, plan(image));
    assert.equal(denied.code, BUILD_FAILURE);
    assert.match(denied.stderr, /It is excluded by pull = \["\*\*", "!\*\*\/x:\*"\]/);
  },
  true,
  ["systemd"],
);
