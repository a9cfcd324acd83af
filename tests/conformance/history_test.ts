/** The record of each job: what it tells, that there is one, and that kills and many writers break none. */

import assert from "node:assert/strict";
import { quoteAll } from "../../src/text/quote.ts";
import type { JobRecord } from "../../src/history/record.ts";
import { timed } from "../hosts/command.ts";
import { onEachHost, onEachMachine } from "../hosts/shared.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import { onTerminal } from "../hosts/terminal.ts";
import { linkChroot, withStore } from "../integration/store.ts";
import { attempt, BUILD_FAILURE } from "./runner.ts";
import { assertDone, assertFailed, begin, leasesOf, planOf, withAttempt } from "./stages.ts";

/** Returns the records of a store by the job's id, and what the program warns of. */
async function historyOf(site: Site): Promise<{ records: JobRecord[]; stderr: string }> {
  const { code, stdout, stderr } = await site.call(["history", "--json"]);
  assert.equal(code, 0, stderr);
  return { records: JSON.parse(stdout), stderr };
}

async function recordsOf(site: Site, job: string | number): Promise<JobRecord[]> {
  return (await historyOf(site)).records.filter((record) => record.job === `${job}`);
}

/** Runs a test with a store whose history is empty. */
function onOwnStore(name: string, body: (own: Site) => Promise<void>): void {
  onEachHost(name, (site) =>
    withStore(site, {}, async (own) => {
      await linkChroot(own, site);
      await body(own);
    }));
}

onOwnStore("a job has one record: its stages, what it used, and how it ended", async (own) => {
  for (const [code, outcome] of [[0, "success"], [42, "failed"]] as const) {
    const plan = planOf(CHROOT);
    await withAttempt(own, plan, async (job) => {
      await begin(job);
      assertDone(await job.run("prepare_script", "true"));
      const done = await job.run(
        "build_script",
        `head -c 5000000 /dev/urandom >/file; exit ${code}`,
      );
      if (code === 0) assertDone(done);
      else assertFailed(done, code);
      const explained = await own.call(["explain", `${plan.id}`]);
      assert.match(explained.stdout, /^It runs$/m, explained.stderr);
      assert.match(explained.stdout, /^build_script /m);
      assertDone(await job.run("cleanup_file_variables", "true"));
    });
    const explained = await own.call(["explain", `${plan.id}`]);
    assert.match(
      explained.stdout,
      code === 0 ? /^It succeeded$/m : /^It failed with exit code 42$/m,
    );
    const [record, ...others] = await recordsOf(own, plan.id);
    assert.deepEqual(others, []);
    assert.deepEqual([record!.outcome, record!.code], [outcome, code || null]);
    assert.deepEqual(record!.calls.map(({ call }) => call), [
      ...["config", "prepare", "prepare_script", "build_script", "cleanup_file_variables"],
      "cleanup",
    ]);
    assert.deepEqual([record!.project, record!.isProtected], ["group/project", true]);
    assert.ok(record!.usage!.written! >= 5_000_000, JSON.stringify(record!.usage));
    if (own.host.kind === "systemd") assert.ok(record!.usage!.cpu! > 0);
    for (const { call, took } of record!.calls) assert.ok(took >= 0 && took < 60_000, call);
    assert.ok(!JSON.stringify(record).includes("EXAMPLE"), "a secret of the job");
  }
});

onOwnStore("gc records the jobs of machines that it finds dead, once", async (own) => {
  const id = newJob();
  assert.equal((await own.call(["prepare", CHROOT, "--id", id])).code, 0);
  const [lease] = await leasesOf(own);
  await own.host.exec(["sh", "-c", 'kill -s KILL "$1"', "sh", `${lease!.leader!.pid}`]);
  assert.match((await own.call(["gc"])).stdout, new RegExp(`^Removing machine run-${id}: `, "m"));
  await own.call(["gc"]);
  const records = await recordsOf(own, id);
  assert.deepEqual(records.map(({ outcome, reason }) => [outcome, reason]), [
    ["abandoned", "it has ended"],
  ]);
});

onOwnStore(
  "a cleanup that is killed leaves a history that can be read, with each job once",
  async (own) => {
    const jobs: string[] = [];
    const prepared = async () => {
      const id = newJob();
      assert.equal((await own.call(["prepare", CHROOT, "--id", id])).code, 0);
      jobs.push(id);
      return ["cleanup", "--id", id];
    };
    const words = await prepared();
    const whole = await timed(() => own.call(words));
    for (let point = 5; point <= 10; point++) {
      const running = own.start(await prepared());
      await new Promise((resolve) => setTimeout(resolve, whole * point / 10));
      await own.host.signal(running, "SIGKILL");
      await running.ended;
      assert.equal((await own.call(["gc"])).code, 0);
      // After a kill before anything was done the machine still runs.
      assert.equal((await own.call(["cleanup", "--id", jobs.at(-1)!])).code, 0);
    }
    const { records, stderr } = await historyOf(own);
    assert.equal(stderr, "");
    assert.deepEqual(records.map(({ job }) => job).sort(), jobs.sort());
  },
);

onOwnStore("ten jobs that end at once have ten whole records", async (own) => {
  const plans = Array.from({ length: 10 }, () => planOf("registry.example/none:1"));
  const attempts = await Promise.all(plans.map((plan) => attempt(own, plan)));
  const answers = await Promise.all(attempts.map((job) => job.config()));
  for (const { code } of answers) assert.equal(code, BUILD_FAILURE);
  for (const job of attempts) await job.close();
  const { records, stderr } = await historyOf(own);
  assert.equal(stderr, "");
  assert.deepEqual(
    records.map(({ job, outcome }) => `${job} ${outcome}`).sort(),
    plans.map(({ id }) => `${id} refused`).sort(),
  );
  for (const { lines } of records) assert.match(lines[0]!, /^Available chroots: /);
});

onEachMachine("top shows a machine, on a terminal until a key is pressed", async (site, id) => {
  const [entry] = JSON.parse((await site.call(["top", "--json"])).stdout);
  assert.deepEqual([entry.id, entry.state], [id, "running"]);
  if (site.host.kind === "systemd") assert.ok(entry.cpu > 0, JSON.stringify(entry));
  const shown = await onTerminal(site, quoteAll(site.words(["top"])), [["Any key ends this", "x"]]);
  assert.equal(shown.code, 0, shown.stdout + shown.stderr);
  assert.match(shown.stdout, new RegExp(`${id} +- +${CHROOT} +running `));
  assert.ok(!shown.stdout.includes("x\r"), "the key is not shown");
});
