/** Plans a job with services, and starts it on a host that plays nspawn. */

import assert from "node:assert/strict";
import { planWithServices } from "../../../src/app/services.ts";
import { findForJob } from "../../../src/chroots/find/resolve.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { parseServices } from "../../../src/gitlab/job_services.ts";
import { listLeases } from "../../../src/machines/record/lease.ts";
import { machineName } from "../../../src/machines/record/name.ts";
import { prepareHost } from "../../../src/machines/start/prepare_host.ts";
import { JOB } from "../gitlab/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { playingHost } from "./playing_host.ts";

/** A job on the chroot "app" with the services "db" and "web", which are chroots. */
interface Scene {
  /** More lines of the configuration. */
  readonly config?: string;
  /** What services report when they are to start. */
  readonly report?: string;
}

const SERVICES = ["db", { name: "web", alias: "www,db", command: ["serve"] }];

async function inScene(
  { config: more = "", report }: Scene,
  act: (scene: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => await act(await open(folder, more, report)));
}

async function open(folder: string, more: string, report?: string) {
  const recording = playingHost(folder, [], report === undefined ? {} : { report });
  const { host } = recording;
  const store = `${folder}/store`;
  for (const name of ["app", "db", "web"]) {
    await Deno.mkdir(`${store}/${name}/usr`, { recursive: true });
  }
  await Deno.mkdir(`${folder}/defs`);
  await Deno.writeTextFile(`${folder}/defs/db.toml`, 'service = ["postgres"]\n');
  await Deno.writeTextFile(
    `${folder}/config.toml`,
    `store = "${store}"\ndefinitions = "${folder}/defs"\nnetwork = "none"\nprivate_users = "off"\n` +
      `storage = "overlay"\nboot = false\n${more}`,
  );
  const config = { ...await loadConfig(host, `${folder}/config.toml`), disk_reserve: 0 };
  const chroot = await findForJob(host, config, "app");
  const { signal: interrupt } = new AbortController();
  const helper = { path: `${store}/helper`, runner: null, binds: [] };
  const request = {
    machine: { id: "42", name: machineName("42", undefined), server: undefined },
    job: { ...JOB, server: undefined, url: undefined, services: parseServices(SERVICES) },
    image: "app",
    began: 0,
    interrupt,
    findHelperRoot: () => Promise.resolve(() => Promise.resolve(helper)),
  };
  const meant = { kind: "chroot", chroot: chroot! } as const;
  const { plan, services } = await planWithServices(host, config, request, meant, []);
  const start = async () => {
    const ready = await prepareHost(host, plan, interrupt);
    return await services.start(plan, ready, { onPart() {} });
  };
  return { ...recording, store, plan, start };
}

Deno.test("planWithServices() starts a job with its services, and logs how they are reached", () =>
  inScene({}, async ({ start, started, store, host, err }) => {
    const lease = await start();
    assert.deepEqual(started.toSorted(), ["run-42", "service-42-1", "service-42-2"]);
    const aliases = lease.services.map(({ aliases }) => aliases);
    assert.deepEqual(aliases, [["db"], ["web", "www"]]);
    assert.equal((await listLeases(host, store)).length, 3);
    const lines = err().split("\n").filter((line) => line.startsWith("Service "));
    assert.deepEqual(lines, [
      'Service "web" is not reached as db: that is service "db"',
      "Service db: machine service-42-1, 10.231.31.253, reached as db",
      "Service web: machine service-42-2, 10.231.31.252, reached as web, www",
    ]);
  }));

Deno.test("planWithServices() leaves the limits of the job as they are, unless they are shared", async () => {
  const memoryWith = async (config: string) => {
    let memory = "";
    await inScene({ config }, ({ plan }) => {
      memory = plan.settings.limits.memory_max;
      return Promise.resolve();
    });
    return memory;
  };
  const limits = '[limits]\nmemory_max = "4G"\n';
  assert.equal(await memoryWith(limits), "4G");
  assert.equal(await memoryWith(`limits_shared = true\n${limits}`), "2G");
});

Deno.test("planWithServices() leaves nothing where the program of a service cannot run", () =>
  inScene({ report: "cannot start it has no program x\n" }, async ({ start, store, host }) => {
    await assert.rejects(start(), {
      kind: "refused",
      message: "Cannot start service db (db): it has no program x, and wrote nothing",
    });
    assert.deepEqual(await listLeases(host, store), []);
  }));

Deno.test("planWithServices() leaves nothing where a service that the job requires is not ready", () =>
  inScene(
    { config: "services_required = true\n", report: "started\nexited 3\n" },
    async ({ start, store, host }) => {
      await assert.rejects(start(), {
        kind: "refused",
        message: "Service db (db) is not ready: it ended with 3, and wrote nothing",
      });
      assert.deepEqual(await listLeases(host, store), []);
    },
  ));
