/** What happens on the host before a machine is reserved. */

import assert from "node:assert/strict";
import type { Host } from "../../../../src/host/host.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { FACTS_SCRIPT } from "../../../../src/machines/network/private_network.ts";
import { SURVEY_SCRIPT } from "../../../../src/machines/start/survey.ts";
import { prepareHost } from "../../../../src/machines/start/prepare_host.ts";
import { RAISE_INOTIFY_SCRIPT } from "../../../../src/machines/supervisor/host_tables.ts";
import { inFolder } from "../../recording_host.ts";
import { leaseOf, planOf, SETTINGS } from "../fixture.ts";
import { statOf } from "../fake_kernel.ts";
import { standaloneHost } from "../standalone_host.ts";

const PRIVATE = { settings: { ...SETTINGS, network: "private" } } as const;
const quiet = new AbortController().signal;

/** Writes the lease of a machine of an earlier boot, and returns a host that calls `onRemove` before its removal. */
async function withLeftover(host: Host, store: string, onRemove: () => Promise<void>) {
  const lease = leaseOf(store, "43", { supervisor: "standalone" });
  await writeLease(host, lease);
  const remove: Host["files"]["remove"] = async (path) => {
    if (path.endsWith("/run-43.json")) await onRemove();
    await host.files.remove(path);
  };
  return { ...host, files: { ...host.files, remove } };
}

Deno.test("prepareHost() removes the leftovers of another boot while the network is prepared", () =>
  inFolder(async (folder) => {
    const order: string[] = [];
    const recording = standaloneHost(folder, ([program, , script]) => {
      if (program !== "sh" || script === SURVEY_SCRIPT) return;
      order.push("network");
      network.resolve();
      return housekeeping.promise.then(() => ({}));
    });
    // Each waits for the other one to begin.
    const network = Promise.withResolvers<void>();
    const housekeeping = Promise.withResolvers<void>();
    const store = `${folder}/store`;
    const host = await withLeftover(recording.host, store, async () => {
      order.push("housekeeping");
      housekeeping.resolve();
      await network.promise;
    });
    host.log.verbosity = "verbose";
    const ready = await prepareHost(host, planOf(store, PRIVATE), quiet);
    assert.deepEqual(order.sort(), ["housekeeping", "network", "network"]);
    assert.match(recording.err(), /^Ending machine run-43: the host was rebooted$/m);
    assert.deepEqual(await host.files.list(`${store}/.leases`), []);
    assert.equal(ready.kernel.boot, "boot-1");
    assert.equal(ready.network.kind, "private");
    assert.equal(ready.supervisor.kind, "standalone");
    assert.deepEqual([ready.runner, ready.freeBytes], [null, Infinity]);
  }));

Deno.test("prepareHost() throws the network's failure once the leftovers are removed", () =>
  inFolder(async (folder) => {
    const recording = standaloneHost(
      folder,
      ([, , script]) => script === FACTS_SCRIPT ? { stdout: "1\n1\nlacks nft\n" } : undefined,
    );
    const store = `${folder}/store`;
    const host = await withLeftover(recording.host, store, async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    });
    await assert.rejects(prepareHost(host, planOf(store, PRIVATE), quiet), /has no nft/);
    const left = await host.files.list(`${store}/.leases`);
    assert.deepEqual(left, [], "no removal goes on behind a failure");
  }));

Deno.test("prepareHost() raises the host's limit of inotify instances where it is lower, and never lowers it", () =>
  inFolder(async (folder) => {
    for (const [instances, raises] of [["128\n", 1], ["2000000\n", 0], ["", 0]] as const) {
      const { host, processes } = standaloneHost(
        folder,
        ([, , script]) =>
          script === SURVEY_SCRIPT ? { stdout: `boot-1\n${instances}runner\n` } : undefined,
      );
      await prepareHost(host, planOf(`${folder}/store`), quiet);
      const raised = processes.filter(({ argv }) => argv[2] === RAISE_INOTIFY_SCRIPT);
      assert.equal(raised.length, raises, instances);
    }
  }));

Deno.test("prepareHost() names the process whose end also ends the machine", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(
      folder,
      ([, , script]) =>
        script === SURVEY_SCRIPT
          ? { stdout: `boot-1\n${statOf(42, 5)}runner\n${statOf(7, 3)}` }
          : undefined,
    );
    const plan = planOf(`${folder}/store`);
    const watchers = {
      "gitlab-runner": { pid: 7, start: 3 },
      self: { pid: 42, start: 5 },
      none: null,
    };
    for (const [watcher, process] of Object.entries(watchers)) {
      const job = { ...plan.job, watcher: watcher as keyof typeof watchers };
      const { runner } = await prepareHost(host, { ...plan, job }, quiet);
      assert.deepEqual(runner, process, watcher);
    }
  }));

Deno.test("prepareHost() fails where the host cannot be surveyed, whatever the network", () =>
  inFolder(async (folder) => {
    for (const network of ["host", "none", "private"] as const) {
      const { host } = standaloneHost(folder, ([, , script]) => {
        if (script === SURVEY_SCRIPT) throw new Error("no process can be started");
      });
      const plan = planOf(`${folder}/store`, { settings: { ...SETTINGS, network } });
      await assert.rejects(prepareHost(host, plan, quiet), /no process can be started/);
      await new Promise((resolve) => setTimeout(resolve, 1)); // where a rejection is not handled, Deno ends
    }
  }));
