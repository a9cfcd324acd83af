import assert from "node:assert/strict";
import { applyImageOptions } from "../../../src/app/chroot_image_options.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { ImageOptions } from "../../../src/gitlab/image_options.ts";
import { recordingHost } from "../recording_host.ts";

const config = await loadConfig(recordingHost().host, "/dev/null");

/** Returns the user of scripts in a chroot for a job with these options, and what is logged. */
function apply(options: Partial<ImageOptions>, user?: string) {
  const { host, err } = recordingHost({ env: { CUSTOM_ENV_WHO: "ci" } });
  const whole = { entrypoint: null, pullPolicies: [], user: null, platform: null, ...options };
  const settings = applyImageOptions(host, { ...config, user }, whole, "bookworm");
  return { user: settings.user, log: err() };
}

Deno.test("applyImageOptions() takes the job's user, but for one that the administrator chose", () => {
  assert.deepEqual(apply({ user: "$WHO" }), { user: "ci", log: "" });
  assert.deepEqual(apply({ user: "ci" }, "build"), {
    user: "build",
    log: "Without effect: image:docker:user, since this host runs scripts as build\n",
  });
  assert.deepEqual(apply({ user: "$NOBODY" }, "build"), { user: "build", log: "" });
  assert.throws(() => apply({ user: "a b" }), { kind: "refused" });
});

Deno.test("applyImageOptions() names what has no effect in a chroot", () => {
  const options = { entrypoint: [""], pullPolicies: ["always"], platform: "linux/amd64" };
  const { user, log } = apply(options);
  assert.equal(user, undefined);
  assert.equal(
    log,
    "Without effect: image:entrypoint, image:pull_policy, image:docker:platform, since bookworm is a chroot\n",
  );
});
