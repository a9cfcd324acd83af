import assert from "node:assert/strict";
import { checkServices, requestServices } from "../../../src/app/service_requests.ts";
import type { Config } from "../../../src/config/settings.ts";
import type { Job } from "../../../src/gitlab/job.ts";
import { parseServices } from "../../../src/gitlab/job_services.ts";
import { type Fixture, withStore } from "../chroots/fixture.ts";
import { JOB } from "../gitlab/fixture.ts";
import { homeIn } from "../images/request/fixture.ts";

const REDIS = { name: "redis:7", alias: "", entrypoint: ["run"], command: [], variables: {} };

/** A store with one chroot, on a host where jobs may pull the images of Docker. */
function withChroot(act: (f: Fixture, config: Config) => Promise<void>): Promise<void> {
  return withStore(async (f) => {
    await f.tree("postgres");
    const env = homeIn(f.folder);
    const host = { ...f.context.host, env: (name: string) => env[name] };
    const config = { ...f.context.config, pull: ["docker.io/**"] };
    await act({ ...f, context: { ...f.context, host, config } }, config);
  });
}

function jobWith(...services: unknown[]): Job {
  return { ...JOB, services: parseServices(services) };
}

Deno.test("requestServices() finds a chroot or an image for each service, with its names", () =>
  withChroot(async ({ context: { host } }, config) => {
    const job: Job = {
      ...jobWith(
        { name: "postgres", alias: "db" },
        { name: "redis:7", entrypoint: [""], executor_opts: { docker: { user: "nobody" } } },
      ),
      imageOptions: { ...JOB.imageOptions, user: "ci", entrypoint: ["other"] },
      credentials: [{ url: "docker.io", username: "me", password: "secret" }],
    };
    const [chroot, pulled, ...more] = await requestServices(host, config, job, null);
    assert.equal(more.length, 0);
    assert.ok(chroot?.meant.kind === "chroot" && chroot.meant.chroot.name === "postgres");
    assert.deepEqual([chroot.aliases, chroot.notes], [["postgres", "db"], []]);
    assert.ok(pulled?.meant.kind === "pulled");
    const { user, entrypoint, credentials, reference } = pulled.meant.request;
    assert.deepEqual([user, entrypoint, credentials?.username], ["nobody", [], "me"]);
    assert.equal(reference.repository, "library/redis");
    assert.deepEqual(pulled.aliases, ["redis"]);
  }));

Deno.test("requestServices() begins with the services of the chroot, else of the configuration", () =>
  withChroot(async ({ context: { host } }, config) => {
    const job = jobWith("redis:6");
    const configured = { ...config, services: [REDIS] };
    const namesOf = async (...args: Parameters<typeof requestServices>) =>
      (await requestServices(...args)).map(({ service, aliases }) => [service.name, ...aliases]);
    assert.deepEqual(await namesOf(host, configured, job, null), [
      ["redis:7", "redis"],
      ["redis:6", "redis-2"],
    ]);
    const services = [{ ...REDIS, name: "postgres" }];
    assert.deepEqual(await namesOf(host, configured, job, { services }), [
      ["postgres", "postgres"],
      ["redis:6", "redis"],
    ]);
    assert.deepEqual(await namesOf(host, configured, null, { services: [] }), []);
    const [byHand] = await requestServices(host, configured, null, null);
    assert.ok(byHand?.meant.kind === "pulled");
    assert.deepEqual(byHand.meant.request.entrypoint, ["run"]);
  }));

/** A job or settings, and why its services are refused. */
const REFUSED: readonly (readonly [Job, Partial<Config>, string])[] = [
  [
    jobWith("redis:7", "quay.io/a"),
    {},
    'Cannot start service "quay.io/a": cannot use image "quay.io/a": no such chroot, and pull does not allow it',
  ],
  [
    jobWith({ name: "redis", pull_policy: ["never"] }),
    {},
    'Cannot start service "redis": cannot use pull_policy "never" of the job: allowed on this host: always',
  ],
  [
    jobWith("postgres"),
    { allowed_images: ["bookworm"] },
    'Cannot start service "postgres": cannot use image "postgres": jobs may not use that chroot on this host',
  ],
  [
    jobWith("redis"),
    { allowed_services: [] },
    'Cannot start service "redis": jobs may not use it on this host',
  ],
  [
    jobWith("redis", "redis"),
    { services_limit: 1 },
    "Cannot start 2 services: at most 1 are allowed on this host",
  ],
  [
    jobWith("G/App"),
    {},
    'Cannot start service "G/App": it has no alias, and none follows from its name',
  ],
  [
    { ...jobWith("redis"), overrides: { NSPAWN_SERVICES_REQUIRED: "true" } },
    {},
    "Cannot use NSPAWN_SERVICES_REQUIRED: jobs may not change that on this host",
  ],
];

for (const [job, changes, message] of REFUSED) {
  Deno.test(`services are refused before anything is pulled: ${message}`, () =>
    withChroot(async ({ context: { host }, commands }, config) => {
      const expected = { kind: "refused", message };
      await assert.rejects(checkServices(host, { ...config, ...changes }, job, null), expected);
      await assert.rejects(requestServices(host, { ...config, ...changes }, job, null), expected);
      assert.deepEqual(commands(), []);
    }));
}

Deno.test("checkServices() takes what is allowed, and looks for no credentials", () =>
  withChroot(async ({ context: { host }, put, err }, config) => {
    await put(".docker/config.json", "no JSON");
    const job = jobWith("redis", { name: "G/App", alias: "db" }, "postgres");
    await assert.rejects(checkServices(host, config, job, null), {
      message: /"G\/App": cannot use/,
    });
    await checkServices(host, config, jobWith("redis", "postgres"), { services: [REDIS] });
    assert.equal(err(), "");
  }));
