/** What runs in the machines of services: the words of the job, of the image or of the definition, as Docker chooses. */

import assert from "node:assert/strict";
import type { JobImage } from "../../../src/app/job_image.ts";
import { planPulledImage } from "../../../src/app/pulled_image.ts";
import { type PlannedService, planService } from "../../../src/app/service_plan.ts";
import { findForJob } from "../../../src/chroots/find/resolve.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/settings.ts";
import { type JobService, parseServices } from "../../../src/gitlab/job_services.ts";
import type { Host } from "../../../src/host/host.ts";
import type { ImageRequest } from "../../../src/images/request/image_request.ts";
import type { PulledImageConfig } from "../../../src/images/store/image_config.ts";
import { listIds, readRecord, writeRecord } from "../../../src/images/store/record.ts";
import { machineName } from "../../../src/machines/record/name.ts";
import { type Fixture, test } from "../chroots/fixture.ts";
import { NEVER, requestFor, withImages } from "../images/store/fixture.ts";
import { planOf, SETTINGS } from "../machines/fixture.ts";

const HELPER = { path: "/helper", runner: null, binds: [] };

/** Plans a service of job 42. */
async function planned(
  host: Host,
  config: Config,
  service: JobService,
  meant: JobImage,
): Promise<PlannedService> {
  const machine = { id: "42", name: machineName("42", undefined), server: undefined };
  const findHelperRoot = () => Promise.resolve(() => Promise.resolve(HELPER));
  const request = { machine, job: null, image: "x", began: 0, interrupt: NEVER, findHelperRoot };
  const context = { request, job: Promise.resolve(planOf(config.store)), count: 1 };
  return await planService(
    host,
    config,
    { service, aliases: ["db"], notes: [], meant },
    1,
    context,
  );
}

function serviceOf(fields: Record<string, unknown> = {}): JobService {
  const [service] = parseServices([{ name: "db", ...fields }]);
  return service!;
}

/** What the image of a chroot or of a registry says. */
const IMAGE: PulledImageConfig = {
  env: ["A=image", "PATH=/opt/bin"],
  user: "postgres",
  workingDir: "/data",
  entrypoint: ["/entry", "--x"],
  cmd: ["serve", "now"],
  ports: ["5432/tcp"],
  volumes: [],
  healthcheck: [],
};

/** Plans a service on a chroot. */
async function onChroot(f: Fixture, fields: Record<string, unknown> = {}) {
  const { context: { host }, config } = f;
  const chroot = await findForJob(host, config, "db");
  return await planned(host, config, serviceOf(fields), { kind: "chroot", chroot: chroot! });
}

/** Plans a service on an image of a registry. */
async function onImage(
  image: Partial<PulledImageConfig>,
  fields: Record<string, unknown> = {},
  request: Partial<ImageRequest> = {},
): Promise<PlannedService> {
  let result: PlannedService | undefined;
  await withImages(async ({ host, config: { store }, registry }) => {
    const name = "registry.example/db:1";
    registry[name] = "{}";
    const read = () => Promise.resolve(`store = "${store}"\n`);
    const config = await loadConfig({ ...host, files: { ...host.files, read } }, "/config.toml");
    const asked = requestFor(name, { policies: ["if-not-present"], ...request });
    await planPulledImage(host, config, asked, NEVER);
    const [id] = await listIds(host, store);
    const record = await readRecord(host, store, id!);
    await writeRecord(host, store, { ...record!, config: { ...IMAGE, ...image } });
    const meant = { kind: "pulled", request: asked } as const;
    const service = await planned(host, config, serviceOf(fields), meant);
    const tree = await service.plan.tree();
    // The image goes with the folder.
    result = { ...service, plan: { ...service.plan, tree: () => Promise.resolve(tree) } };
  });
  return result!;
}

/** The job's `entrypoint:` and `command:`, and what runs in an image that has both. */
const WORDS: readonly (readonly [string[] | null, string[], string[]])[] = [
  [null, [], ["/entry", "--x", "serve", "now"]],
  [null, ["other"], ["/entry", "--x", "other"]],
  [["/mine"], [], ["/mine"]],
  [["/mine", "-a"], ["other"], ["/mine", "-a", "other"]],
  [[], ["other"], ["other"]],
];

for (const [entrypoint, command, words] of WORDS) {
  const asked = `entrypoint ${JSON.stringify(entrypoint)} and command ${JSON.stringify(command)}`;
  Deno.test(`planService() runs ${words.join(" ")} for ${asked}`, async () => {
    const { program } = await onImage({}, { command }, { entrypoint });
    assert.deepEqual(program?.words, words);
  });
}

test("planService() runs in a chroot what the image that it was made from says, unless the job does", async (f) => {
  await f.generation("db", 1, { image: IMAGE });
  const wordsFor = async (fields: Record<string, unknown>) =>
    (await onChroot(f, fields)).program?.words;
  assert.deepEqual(await wordsFor({}), ["/entry", "--x", "serve", "now"]);
  assert.deepEqual(await wordsFor({ command: ["a"] }), ["/entry", "--x", "a"]);
  assert.deepEqual(await wordsFor({ entrypoint: ["/b"] }), ["/b"]);
  assert.deepEqual(await wordsFor({ entrypoint: [""], command: ["a"] }), ["a"]);
  await f.put("defs/db.toml", 'service = ["redis-server", "--port", "1"]');
  assert.deepEqual(await wordsFor({}), ["redis-server", "--port", "1"]);
  assert.deepEqual(await wordsFor({ command: ["a"] }), ["a"]);
});

Deno.test("planService() refuses a service with nothing to run", async () => {
  const refusal = { kind: "refused", message: "Cannot start service db: its image has no command" };
  await assert.rejects(onImage({ entrypoint: [], cmd: [] }), refusal);
  await assert.rejects(onImage({}, {}, { entrypoint: [] }), refusal, "Docker drops CMD as well");
});

test("planService() refuses a chroot without a command", async (f) => {
  await f.generation("db", 1);
  await assert.rejects(onChroot(f), {
    kind: "refused",
    message: "Cannot start service db: its image has no command",
    hint: /boot = true/,
  });
});

/** Docker's HEALTHCHECK, and the command that tests the health of a service. */
const HEALTHCHECKS: readonly (readonly [string[], string[]])[] = [
  [[], []],
  [["NONE"], []],
  [["CMD"], []],
  [["CMD", "pg_isready", "-q"], ["pg_isready", "-q"]],
  [["CMD-SHELL", "curl -f localhost || exit 1"], ["/bin/sh", "-c", "curl -f localhost || exit 1"]],
  [["OTHER", "x"], []],
];

for (const [healthcheck, command] of HEALTHCHECKS) {
  Deno.test(`planService() tests the health of an image with ${JSON.stringify(healthcheck)}`, async () => {
    assert.deepEqual((await onImage({ healthcheck })).program?.healthcheck, command);
  });
}

Deno.test("planService() starts an image as its configuration says, with the variables of the service last", async () => {
  const variables = [{ key: "A", value: "job" }, { key: "HEALTHCHECK_TCP_PORT", value: "81" }];
  const { plan, program, ports, aliases } = await onImage({}, { variables });
  assert.equal(program?.workingDir, "/data");
  assert.deepEqual(program?.environment.filter((one) => one.startsWith("A=")), [
    "A=image",
    "A=job",
  ]);
  assert.deepEqual([ports, aliases, plan.name], [[81], ["db"], "service-42-1"]);
  const { user, helper, program: inTree } = await plan.tree();
  assert.deepEqual([user, helper, inTree], ["postgres", HELPER, program]);
  assert.equal(plan.settings.boot, false);
  assert.deepEqual((await onImage({})).ports, [5432]);
});

Deno.test("planService() gives a service half of the limits of its job", async () => {
  const { plan: { settings } } = await onImage({});
  assert.equal(settings.limits.memory_max, "1G");
  assert.equal(settings.prepare_timeout, SETTINGS.prepare_timeout);
});

/** Gives a chroot the files of systemd and D-Bus. */
async function bootable(f: Fixture): Promise<void> {
  for (const path of ["lib/systemd/systemd", "bin/dbus-daemon"]) {
    await f.put(`store/.generations/db/1/usr/${path}`);
  }
}

test("planService() boots a chroot whose definition says so, unless there is a command", async (f) => {
  await f.generation("db", 1);
  await bootable(f);
  await f.put("defs/db.toml", "boot = true");
  const booted = await onChroot(f);
  assert.deepEqual([booted.program, booted.ports, booted.plan.settings.boot], [null, [], true]);
  assert.equal((await booted.plan.tree()).helper, null);
  const plain = await onChroot(f, { command: ["a"] });
  assert.deepEqual([plain.program?.words, plain.plan.settings.boot], [["a"], false]);
  await f.put("defs/db.toml", 'boot = true\nservice = ["b"]');
  assert.equal((await onChroot(f)).plan.settings.boot, false);
});

test("planService() refuses to boot a chroot in which nothing would serve", async (f) => {
  await f.generation("db", 1);
  await f.put("defs/db.toml", "boot = true");
  await assert.rejects(onChroot(f), {
    kind: "refused",
    message:
      /^Cannot start service db: its definition has boot = true, and its tree has no systemd/,
  });
});

test("planService() refuses to boot a stranger's systemd where it would be root of the host", async (f) => {
  await f.generation("db", 1, { stranger: "docker:y" });
  await bootable(f);
  await f.put("defs/db.toml", "boot = true");
  const { plan } = await onChroot(f);
  await plan.onUnconfined?.(await plan.tree(), false);
  await assert.rejects(async () => await plan.onUnconfined?.(await plan.tree(), true), {
    kind: "refused",
    message: /^Cannot boot docker:y: its systemd would be root of the host/,
  });
});

Deno.test("planService() says that an image that cannot be used is a service's", async () => {
  await withImages(async ({ host, config: { store } }) => {
    const read = () => Promise.resolve(`store = "${store}"\n`);
    const config = await loadConfig({ ...host, files: { ...host.files, read } }, "/config.toml");
    const request = requestFor("registry.example/db:1", { policies: ["never"] });
    const meant = { kind: "pulled", request } as const;
    await assert.rejects(planned(host, config, serviceOf(), meant), {
      kind: "refused",
      message: /^Cannot start service "db": cannot use image registry\.example\/db:1: /,
    });
  });
});
