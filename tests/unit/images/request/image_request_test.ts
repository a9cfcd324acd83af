import assert from "node:assert/strict";
import { loadConfig } from "../../../../src/config/load.ts";
import type { Config } from "../../../../src/config/settings.ts";
import type { ImageOptions } from "../../../../src/gitlab/image_options.ts";
import type { Job } from "../../../../src/gitlab/job.ts";
import {
  checkRequest,
  type ImageRequest,
  requestImage,
} from "../../../../src/images/request/image_request.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { JOB } from "../../gitlab/fixture.ts";
import { homeIn } from "./fixture.ts";

const CONFIG: Config = {
  ...await loadConfig(recordingHost().host, "/dev/null"),
  pull: ["docker.io/library/*"],
};

function jobWith(imageOptions: Partial<ImageOptions>): Job {
  return { ...JOB, imageOptions: { ...JOB.imageOptions, ...imageOptions } };
}

/** Returns what a job asks for on a host whose processor is that of PCs. */
function check(imageOptions: Partial<ImageOptions>, env: Record<string, string> = {}) {
  const { host } = recordingHost({ env, answer: () => ({ stdout: "x86_64\n" }) });
  return checkRequest(host, CONFIG, jobWith(imageOptions), "ruby");
}

async function entrypointOf(words: readonly string[]): Promise<readonly string[] | null> {
  return (await check({ entrypoint: words }))!.entrypoint;
}

Deno.test("requestImage() returns what the job asks for, with its credentials", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({ env: homeIn(folder) });
    const login = { url: "docker.io", username: "me", password: "secret" };
    const expected: ImageRequest = {
      reference: {
        written: "ruby:3",
        registry: "docker.io",
        repository: "library/ruby",
        tag: "3",
        digest: null,
      },
      platform: null,
      policies: ["always"],
      credentials: {
        username: "me",
        password: "secret",
        identityToken: null,
        scope: "docker.io",
        source: "GitLab, for this job",
      },
      mirrors: new Map(),
      user: null,
      entrypoint: null,
    };
    const job = { ...JOB, credentials: [login] };
    assert.deepEqual(await requestImage(host, CONFIG, job, "ruby:3"), expected);
    const byHand = { ...expected, credentials: null };
    assert.deepEqual(await requestImage(host, CONFIG, null, "ruby:3"), byHand);
  });
});

Deno.test("requestImage() is null for an image that no pattern allows, and for what is no image", async () => {
  const { host } = recordingHost();
  for (const image of ["reg.example/a", "Ruby", "../x", ""]) {
    assert.equal(await requestImage(host, CONFIG, JOB, image), null, image);
  }
});

Deno.test("checkRequest() clears the entrypoint for one empty word, as Docker does, and keeps it for none", async () => {
  assert.deepEqual(await entrypointOf([""]), []);
  assert.equal(await entrypointOf([]), null);
  assert.deepEqual(await entrypointOf(["/bin/sh", "-c"]), ["/bin/sh", "-c"]);
});

Deno.test("checkRequest() expands variables in user and platform", async () => {
  const env = { CUSTOM_ENV_WHO: "1000", CUSTOM_ENV_ARCH: "386" };
  const request = await check({ user: "${WHO}:$WHO", platform: "linux/$ARCH" }, env);
  assert.equal(request?.user, "1000:1000");
  assert.equal(request?.platform, "linux/386");
  const unset = await check({ user: "$NOBODY", platform: "$NOTHING" }, env);
  assert.deepEqual([unset?.user, unset?.platform], [null, null]);
});

Deno.test("checkRequest() refuses a platform and policies that the host does not allow", async () => {
  await assert.rejects(check({ platform: "linux/s390x" }), { message: /s390x/ });
  await assert.rejects(check({ pullPolicies: ["never"] }), { message: /"never"/ });
  assert.deepEqual((await check({ pullPolicies: ["always"] }))?.policies, ["always"]);
});
