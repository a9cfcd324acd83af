import assert from "node:assert/strict";
import { awaitServices } from "../../../src/app/await_services.ts";
import type { StartedService } from "../../../src/app/start_services.ts";
import { machinePaths } from "../../../src/machines/record/paths.ts";
import { wasLate } from "../../../src/machines/services/late.ts";
import { inFolder, type Recording } from "../recording_host.ts";
import { leaseOf, serviceLeaseOf } from "../machines/fixture.ts";
import { standaloneHost } from "../machines/standalone_host.ts";
import { plannedService, type ServiceChoice } from "./planned_service.ts";

/** A service, what its machine has reported, and its output. */
interface Played extends Omit<ServiceChoice, "name"> {
  readonly report: string;
  readonly output?: string;
}

interface Waiting extends Recording {
  readonly services: readonly StartedService[];
  /** Waits for the services. */
  wait(timeout: number, isRequired: boolean, interrupt?: AbortSignal): Promise<void>;
}

/** Plays services that have started, in the host's network. */
function withServices(
  played: readonly Played[],
  act: (waiting: Waiting) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const recording = standaloneHost(folder, () => {});
    const { host } = recording;
    const store = `${folder}/store`;
    const services: StartedService[] = [];
    for (const [index, { report, output = "", ...choice }] of played.entries()) {
      const name = ["db", "web", "mq"][index]!;
      const number = index + 1;
      const planned = plannedService({ name, store, number, ...choice });
      const lease = serviceLeaseOf(store, "42", [name], {}, number);
      services.push({ planned, lease, address: "127.0.0.1" });
      const { own, result, stage } = machinePaths(store, planned.plan.name);
      for (const folder of [own, stage]) await host.files.makeDirectory(folder);
      await host.files.write(result, report);
      await host.files.write(`${own}/log.0`, `0\n${output}`);
    }
    const lease = leaseOf(store, "42");
    const quiet = new AbortController().signal;
    const wait: Waiting["wait"] = (seconds, isRequired, interrupt = quiet) =>
      awaitServices(
        host,
        { wait_for_services_timeout: seconds },
        { lease, services },
        isRequired,
        interrupt,
      );
    await act({ ...recording, services, wait });
  });
}

const RUNS = { report: "ready\nstarted\n" };
const NEVER_HEALTHY = { ...RUNS, isTested: true };
const ENDED = { report: "ready\nstarted\nexited 3\n", output: "one\n\x1b[31mno config\x1b[0m\n" };
const BROKEN = { report: "ready\ncannot start it has no program x\n" };

Deno.test("awaitServices() is silent where all services are ready, and asks no booted one", () =>
  withServices([RUNS, { report: "", boots: true }], async ({ wait, err }) => {
    await wait(30, true);
    assert.equal(err(), "");
  }));

Deno.test("awaitServices() warns of services that ended or are late, with their output, and notes the late ones", () =>
  withServices([ENDED, NEVER_HEALTHY, RUNS], async ({ wait, err, host, services }) => {
    await wait(30, false);
    assert.deepEqual(err().split("\n").filter((line) => line !== ""), [
      "Service db (db) is not ready: it ended with 3. Its last output:",
      "one",
      "no config",
      "Service web (web) is not ready: it was not ready within 30 s, and wrote nothing",
    ]);
    const late = services.map(({ planned: { plan } }) =>
      wasLate(host, machinePaths(plan.store, plan.name))
    );
    assert.deepEqual(await Promise.all(late), [false, true, false]);
  }));

Deno.test("awaitServices() refuses a job that requires services of which one is not ready", () =>
  withServices([RUNS, ENDED], async ({ wait }) => {
    await assert.rejects(wait(30, true), {
      kind: "refused",
      message: "Service web (web) is not ready: it ended with 3. Its last output:\none\nno config",
    });
  }));

for (const timeout of [30, 0, -1]) {
  Deno.test(`awaitServices() with a time-out of ${timeout} s refuses a service whose program cannot run`, () =>
    withServices([RUNS, BROKEN], async ({ wait }) => {
      await assert.rejects(wait(timeout, false), {
        kind: "refused",
        message: "Cannot start service web (web): it has no program x, and wrote nothing",
        hint: /entrypoint: and command:/,
      });
    }));
}

Deno.test("awaitServices() with a negative time-out waits for nothing", () =>
  withServices(
    [ENDED, NEVER_HEALTHY, { report: "", boots: true }],
    async ({ wait, err, host }) => {
      const began = host.clock.now();
      await wait(-1, true);
      assert.deepEqual([err(), host.clock.now()], ["", began]);
    },
  ));

Deno.test("awaitServices() fails after an interrupt", () =>
  withServices([NEVER_HEALTHY], async ({ wait }) => {
    await assert.rejects(wait(30, false, AbortSignal.abort()), {
      kind: "host",
      message: "Cannot wait for the services of the job: interrupted",
    });
  }));
