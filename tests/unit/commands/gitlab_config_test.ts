/** config as GitLab Runner calls it. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { inFolder } from "../recording_host.ts";
import { scene } from "./fixture.ts";

/** Answers for a job with this image on a host where jobs may pull the images of Docker. */
async function answer(
  image: Record<string, unknown>,
  { services = [], definition = "", settings = "" }: {
    services?: readonly unknown[];
    definition?: string;
    settings?: string;
  } = {},
) {
  let code = 0;
  let texts: readonly [out: string, err: string] = ["", ""];
  await inFolder(async (folder) => {
    const { host, out, err, processes } = await scene(folder);
    const path = `${folder}/config.toml`;
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, `pull = ["docker.io/library/*"]\n${settings}\n${text}`);
    await Deno.writeTextFile(`${folder}/bookworm.toml`, definition);
    const response = JSON.parse(await Deno.readTextFile(`${folder}/response.json`));
    const auths = { "https://index.docker.io/v1/": { auth: btoa("me:secret") } };
    const variables = [{ key: "DOCKER_AUTH_CONFIG", value: JSON.stringify({ auths }) }];
    const changed = {
      ...response,
      image,
      services,
      variables: [...response.variables, ...variables],
    };
    await Deno.writeTextFile(`${folder}/response.json`, JSON.stringify(changed));
    code = await main(["gitlab-config"], host);
    assert.equal(processes.length, 0, "nothing is pulled");
    texts = [out(), err()];
  });
  return { code, out: texts[0], err: texts[1] };
}

Deno.test("config answers bash for an image that is to be pulled, and decides that no chroot is meant", async () => {
  const { code, out, err } = await answer({ name: "ruby:3", pull_policy: ["always"] });
  assert.equal(code, 0, err);
  assert.equal(err, "");
  const { shell, job_env } = JSON.parse(out);
  assert.equal(shell, "bash");
  assert.equal(job_env.NSPAWN_RUNNER_CHROOT, "");
  assert.notEqual(job_env.NSPAWN_RUNNER_MACHINE, "");
});

Deno.test("config refuses an image and a pull policy that are not allowed, as a failed job", async () => {
  const denied = await answer({ name: "quay.io/a/b" });
  assert.equal(denied.code, 11);
  assert.match(
    denied.err,
    /pull does not allow it\n.*pull = \["docker\.io\/library\/\*", "quay\.io\/a\/b:\*"\]/,
  );
  const policy = await answer({ name: "ruby", pull_policy: ["if-not-present"] });
  assert.equal(policy.code, 11);
  assert.match(policy.err, /"if-not-present" of the job: allowed on this host: always\n/);
});

Deno.test("config refuses a service that the job may not use, as a failed job", async () => {
  for (const image of ["bookworm", "ruby"]) {
    const allowed = await answer({ name: image }, { services: [{ name: "redis" }, "bookworm"] });
    assert.equal(allowed.code, 0, allowed.err);
    const denied = await answer({ name: image }, { services: [{ name: "quay.io/a" }] });
    assert.equal(denied.code, 11);
    assert.match(
      denied.err,
      /^nspawn-runner: Cannot start service "quay\.io\/a": cannot use image/m,
    );
  }
});

Deno.test("config checks the services of the configuration, or of the chroot's definition instead", async () => {
  const settings = 'services = [{ name = "quay.io/a" }]\nallowed_services = []';
  const configured = await answer({ name: "bookworm" }, { settings });
  assert.equal(configured.code, 11);
  assert.match(configured.err, /^nspawn-runner: Cannot start service "quay\.io\/a"/m);
  const definition = 'services = [{ name = "redis" }]';
  const defined = await answer({ name: "bookworm" }, { settings, definition, services: ["redis"] });
  assert.equal(defined.code, 0, defined.err);
});
