/** Starts the machines of a job and of its services on a host that plays nspawn, and undoes that wherever it fails. */

import assert from "node:assert/strict";
import { startWithServices } from "../../../src/app/start_services.ts";
import type { PlannedService } from "../../../src/app/service_plan.ts";
import { until } from "../../../src/linux/wait.ts";
import type { Host } from "../../../src/host/host.ts";
import { listLeases, readLease, writeLease } from "../../../src/machines/record/lease.ts";
import { leaseLink, machinePaths } from "../../../src/machines/record/paths.ts";
import type { MachinePlan } from "../../../src/machines/record/plan.ts";
import { prepareHost } from "../../../src/machines/start/prepare_host.ts";
import { planOf, serviceLeaseOf, SETTINGS } from "../machines/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { plannedService, type ServiceChoice } from "./planned_service.ts";
import { playingHost } from "./playing_host.ts";

const quiet = new AbortController().signal;

const PLAIN = { ...SETTINGS, storage: "overlay", boot: false } as const;

/** The plans of a job with services that have these settings in common. */
function plans(folder: string, settings: Partial<typeof SETTINGS>, ...choices: ServiceChoice[]) {
  const store = `${folder}/store`;
  const own = { ...PLAIN, ...settings };
  const services = choices.map((choice, index) =>
    plannedService({ store, number: index + 1, plan: { settings: own }, ...choice })
  );
  return { job: planOf(store, { settings: own }), services };
}

async function start(
  host: Host,
  { job, services }: { job: MachinePlan; services: readonly PlannedService[] },
  interrupt = quiet,
) {
  return await startWithServices(
    host,
    job,
    services,
    await prepareHost(host, job, quiet),
    interrupt,
  );
}

/** Asserts that nothing is left of any machine. */
async function assertNothingLeft(host: Host, folder: string): Promise<void> {
  assert.deepEqual(await listLeases(host, `${folder}/store`), []);
  const runtime = await host.files.list("/run/nspawn-runner");
  assert.deepEqual(runtime.filter((name) => !name.startsWith(".")), []);
  const machines = await host.files.list(`${folder}/store/.machines`);
  assert.deepEqual(machines.filter((name) => name !== ".leaving"), []);
}

const DB = { name: "db" };
const WEB = { name: "web" };

Deno.test("startWithServices() starts all machines, and their leases name each other", () =>
  inFolder(async (folder) => {
    const { host, started } = playingHost(folder);
    const both = plans(folder, {}, DB, WEB);
    const { lease, services } = await start(host, both);
    assert.deepEqual(started.toSorted(), ["run-42", "service-42-1", "service-42-2"]);
    assert.deepEqual(lease.services, [
      { machine: "service-42-1", aliases: ["db"] },
      { machine: "service-42-2", aliases: ["web"] },
    ]);
    const roles = services.map(({ lease: { machine, service } }) => [machine, service]);
    const starter = { pid: 42, start: 5 };
    const role = { job: "run-42", reports: true, starter };
    assert.deepEqual(roles, [
      ["service-42-1", { ...role, aliases: ["db"], image: "db" }],
      ["service-42-2", { ...role, aliases: ["web"], image: "web" }],
    ]);
    assert.ok(services.every(({ address }) => address === "127.0.0.1"), "the host's network");
    assert.deepEqual(services.map(({ planned }) => planned), both.services);
  }));

Deno.test("startWithServices() gives all machines of a job the names of all, and services its folders", () =>
  inFolder(async (folder) => {
    const { host, processes } = playingHost(folder);
    const { job, services } = plans(folder, { network: "none" }, DB, { ...WEB, boots: true });
    await start(host, { job: { ...job, owned: ["/builds"] }, services });
    const store = `${folder}/store`;
    for (const { name } of [job, ...services.map(({ plan }) => plan)]) {
      const hosts = await Deno.readTextFile(`${machinePaths(store, name).own}/hosts`);
      assert.match(
        hosts,
        /^10\.231\.31\.254\tbuild\n10\.231\.31\.253\tdb\n10\.231\.31\.252\tweb\n/,
      );
      const nspawn = processes.find(({ argv }) => argv.includes(`--machine=${name}`))!;
      const shared = `--bind=${machinePaths(store, job.name).shared}/builds:/builds`;
      assert.ok(nspawn.argv.includes(shared), name);
    }
    const [connect, ...more] = processes.filter(({ argv }) => argv[3] === "sh" && argv[0] === "sh")
      .filter(({ argv }) => argv[4]?.startsWith("link add"));
    assert.equal(more.length, 0);
    assert.equal(connect!.argv.length, 5 + 2 * 3, "the links, then each machine");
  }));

Deno.test("startWithServices() releases a program when its machine has started and all are connected", () =>
  inFolder(async (folder) => {
    const released: string[] = [];
    const { host } = playingHost(folder, [], {
      async onRelease(name) {
        released.push(name);
        const lease = JSON.parse(await Deno.readTextFile(`${folder}/store/.leases/${name}.json`));
        // A program that ends at once ends its machine, too, which would look as if it had not started.
        assert.notEqual(lease.leader, null);
        assert.equal(lease.preparer, null);
      },
    });
    const replaceVolatile = async (path: string, text: string) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await host.files.replaceVolatile(path, text);
    };
    const slow = { ...host, files: { ...host.files, replaceVolatile } };
    await start(slow, plans(folder, {}, DB, { ...WEB, boots: true }, { name: "mq" }));
    assert.deepEqual(released.toSorted(), ["service-42-1", "service-42-3"]);
  }));

for (const failing of ["run-42", "service-42-1", "service-42-2"]) {
  Deno.test(`startWithServices() leaves nothing where ${failing} does not start`, () =>
    inFolder(async (folder) => {
      const { host } = playingHost(folder, [failing]);
      await assert.rejects(start(host, plans(folder, {}, DB, WEB)), {
        kind: "host",
        message: `Cannot start machine ${failing}: it ended without any output`,
      });
      await assertNothingLeft(host, folder);
    }));
}

Deno.test("startWithServices() leaves nothing where the machines cannot be connected", () =>
  inFolder(async (folder) => {
    const { host } = playingHost(folder, [], {
      answer: (argv) =>
        argv[4]?.startsWith("link add") ? { code: 1, stderr: "RTNETLINK: no\nmore\n" } : undefined,
    });
    await assert.rejects(start(host, plans(folder, { network: "none" }, DB, WEB)), {
      kind: "host",
      message: "Cannot connect the machines of the job with each other: RTNETLINK: no",
    });
    await assertNothingLeft(host, folder);
  }));

Deno.test("startWithServices() starts nothing after an interrupt", () =>
  inFolder(async (folder) => {
    const { host, started } = playingHost(folder);
    const interrupted = start(host, plans(folder, {}, DB), AbortSignal.abort());
    await assert.rejects(interrupted, { message: "Cannot start machine run-42: interrupted" });
    assert.deepEqual(started, []);
    await assertNothingLeft(host, folder);
  }));

Deno.test("startWithServices() that is interrupted while machines start leaves nothing", () =>
  inFolder(async (folder) => {
    const interrupt = new AbortController();
    const { host } = playingHost(folder, [], {
      answer: (argv) => void (argv.includes("--machine=service-42-1") && interrupt.abort()),
    });
    await assert.rejects(start(host, plans(folder, {}, DB, WEB), interrupt.signal), {
      message: /interrupted$|^Cannot start machine /,
    });
    await assertNothingLeft(host, folder);
  }));

Deno.test("startWithServices() first removes a service that a killed prepare of the job left", () =>
  inFolder(async (folder) => {
    const { host, commands } = playingHost(folder);
    const store = `${folder}/store`;
    const old = serviceLeaseOf(store, "42", ["old"], {
      boot: "boot-1",
      supervisor: "standalone",
      cgroups: ["/sys/fs/cgroup/old"],
    });
    await writeLease(host, old);
    const { services } = await start(host, plans(folder, {}, DB));
    assert.ok(commands().some((line) => line.endsWith(" /sys/fs/cgroup/old")));
    assert.deepEqual(services[0]!.lease.service?.aliases, ["db"]);
  }));

Deno.test("startWithServices() does not remove a machine that another prepare has started meanwhile", () =>
  inFolder(async (folder) => {
    const store = `${folder}/store`;
    const { host } = playingHost(folder, [], {
      async onRelease() {
        // cleanup has removed the job, and another prepare of it has begun.
        const lease = await until(host, { interval: 100 }, async () => {
          const lease = await readLease(host, store, planOf(store).name);
          return lease?.preparer === null ? lease : null;
        });
        await writeLease(host, { ...lease!, created: "2031-01-01T00:00:00.000Z" });
        throw new Error("no pipe");
      },
    });
    await assert.rejects(start(host, plans(folder, {}, DB)), { message: "no pipe" });
    const left = (await listLeases(host, store)).map(({ machine, created }) => [machine, created]);
    assert.deepEqual(left, [["run-42", "2031-01-01T00:00:00.000Z"]]);
    assert.ok(await host.files.lstat(leaseLink(planOf(store).name)));
  }));

Deno.test("startWithServices() refuses a service without a network for a job in the host's network", () =>
  inFolder(async (folder) => {
    const { host, started } = playingHost(folder);
    const { job, services } = plans(folder, {}, DB);
    const [{ plan, ...rest } = services[0]!] = services;
    const cut = { ...rest, plan: { ...plan, settings: { ...PLAIN, network: "none" } as const } };
    await assert.rejects(start(host, { job, services: [cut] }), {
      kind: "refused",
      message: /^Cannot start service db: it has network = "none"/,
    });
    assert.deepEqual(started, []);
  }));
