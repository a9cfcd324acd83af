/** The garbage collection: what it reports and removes, and a dry run. */

import assert from "node:assert/strict";
import { collectGarbage } from "../../../src/app/collect_garbage.ts";
import type { Config } from "../../../src/config/settings.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Host } from "../../../src/host/host.ts";
import { REMOVAL_SCRIPT } from "../../../src/machines/end/removal.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { leaseOf, serviceLeaseOf } from "../machines/fixture.ts";
import { standaloneHost } from "../machines/standalone_host.ts";
import { inFolder } from "../recording_host.ts";

const DAY = 86_400_000;

/** A store with a machine and its service of an earlier boot, an orphan, an old cache, and a running machine with a cache. */
async function storeIn(folder: string, host: Host): Promise<Config> {
  const store = `${folder}/store`;
  await Deno.writeTextFile(
    `${folder}/config.toml`,
    `store = "${store}"\ndefinitions = "${folder}"\n`,
  );
  await writeLease(host, leaseOf(store, "1", { supervisor: "standalone" }));
  const service = serviceLeaseOf(store, "1", ["postgres", "db"], { supervisor: "standalone" });
  await writeLease(host, service);
  await host.files.makeDirectory(`${store}/.machines/run-2/upper`);
  await host.files.makeDirectory(`${store}/.machines/.leaving/run-5/upper`);
  const caches = ["3", "4"].map((project) => `${store}/.cache/s/${project}/protected`);
  for (const cache of caches) {
    await host.files.makeDirectory(cache);
    await host.files.touch(cache, host.clock.now() - 1000 * DAY);
  }
  await host.files.makeDirectory(`${store}/.history`);
  for (const day of ["2001-01-01", "2029-12-31"]) {
    await host.files.write(`${store}/.history/${day}.jsonl`, "{}\n");
  }
  const preparer = { pid: 42, start: 5 };
  await writeLease(host, leaseOf(store, "4", { boot: "boot-1", preparer, folders: [caches[1]!] }));
  return await loadConfig(host, `${folder}/config.toml`);
}

async function collectIn(folder: string, dryRun: boolean, change: (host: Host) => Host = (h) => h) {
  const { host, err } = standaloneHost(folder, () => {});
  const config = await storeIn(folder, host);
  const reports: string[] = [];
  const report = (what: string, why: string) => void reports.push(`${what}: ${why}`);
  const failures = await collectGarbage({ host: change(host), config, dryRun, report });
  const left = async (path: string) =>
    (await host.files.list(`${config.store}/${path}`)).filter((name) => name !== ".leaving");
  return { failures, reports, left, err, store: config.store };
}

for (const dryRun of [true, false]) {
  Deno.test(`collectGarbage() reports what no job needs, and ${dryRun ? "keeps it in a dry run" : "removes it"}`, () =>
    inFolder(async (folder) => {
      const { failures, reports, left, store } = await collectIn(folder, dryRun);
      assert.equal(failures, 0);
      assert.deepEqual(reports, [
        `${store}/.machines/.leaving/run-5: its removal was interrupted`,
        "machine run-1: the host was rebooted",
        "machine service-1-1, service db of run-1: the host was rebooted",
        "leftovers of machine run-2: no record of it, but its writes",
        `${store}/.cache/s/3/protected: unused for 1000 days (cache_max_age)`,
        `${store}/.history/2001-01-01.jsonl: its jobs ended before history_max_age`,
      ]);
      const kept = (...names: string[]) => dryRun ? names : [];
      assert.deepEqual(await left(".leases"), [
        ...kept("run-1.json"),
        "run-4.json",
        ...kept("service-1-1.json"),
      ]);
      assert.deepEqual(await left(".machines"), kept("run-2"));
      assert.deepEqual(await left(".machines/.leaving"), kept("run-5"));
      const own = dryRun ? [] : ["last-gc.json", "totals.json"];
      const days = [...kept("2001-01-01.jsonl"), "2029-12-31.jsonl"];
      assert.deepEqual(await left(".history"), [...days, ...own]);
      assert.deepEqual(await left(".cache/s/3"), kept("protected"));
      assert.deepEqual(await left(".cache/s/4"), ["protected"]);
    }));
}

Deno.test("collectGarbage() removes what jobs wrote when all machines have ended", () =>
  inFolder(async (folder) => {
    const leases: string[][] = [];
    await collectIn(folder, false, (host) => {
      const capture: typeof host.processes.capture = async (argv, options) => {
        if (argv[2] === REMOVAL_SCRIPT) {
          leases.push(await host.files.list(`${folder}/store/.leases`));
          assert.deepEqual(await host.files.list(`${folder}/store/.machines`), [".leaving"]);
        }
        return await host.processes.capture(argv, options);
      };
      return { ...host, processes: { ...host.processes, capture } };
    });
    assert.deepEqual(leases, Array(3).fill(["run-4.json"]), "an old removal, an orphan, a cache");
  }));

Deno.test("collectGarbage() logs a failure, counts it, and goes on", () =>
  inFolder(async (folder) => {
    const { failures, left, err } = await collectIn(folder, false, (host) => {
      const remove = (path: string) =>
        path.includes("run-1")
          ? Promise.reject(new Error("device is busy"))
          : host.files.remove(path);
      return { ...host, files: { ...host.files, remove } };
    });
    assert.equal(failures, 1);
    assert.match(err(), /device is busy/);
    assert.deepEqual(await left(".machines"), [], "the orphan");
    assert.deepEqual(await left(".cache/s/3"), [], "the cache");
  }));

Deno.test("collectGarbage() keeps the history where its jobs cannot be counted", () =>
  inFolder(async (folder) => {
    const { failures, left, err } = await collectIn(folder, false, (host) => {
      const replace = (path: string, text: string) =>
        path.endsWith("totals.json")
          ? Promise.reject(new Error("no space left"))
          : host.files.replace(path, text);
      return { ...host, files: { ...host.files, replace } };
    });
    assert.equal(failures, 1);
    assert.match(err(), /no space left/);
    assert.deepEqual((await left(".history"))[0], "2001-01-01.jsonl");
    assert.deepEqual(await left(".machines"), [], "the rest went on");
  }));
