/** Machines that no cleanup ends: killed runners, killed calls, deadlines, power cuts. */

import assert from "node:assert/strict";
import type { Lease } from "../../src/machines/record/lease.ts";
import { timed } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { onEachBoot, onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site, withMachine } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { attempt } from "./runner.ts";
import { assertDone, begin, fakeRunner, leasesOf, planOf, withAttempt } from "./stages.ts";

async function names(site: Site): Promise<string[]> {
  return (await leasesOf(site)).map(({ machine }) => machine);
}

onEachHost(
  "the next prepare ends machines of a killed runner, and no others",
  async (site) => {
    const own = await site.with({ boot: false });
    const caller = await fakeRunner(own);
    await withMachine(own, async (byHand) => {
      const plans = [planOf(CHROOT), planOf(CHROOT)];
      const runners = [];
      for (const plan of plans) {
        const job = await attempt(own, plan, undefined, caller);
        const runner = job.startPrepare();
        await runner.untilPrinted("it ended with 0");
        runners.push({ job, runner });
      }
      const [dead, alive] = runners;
      const [lease] = (await leasesOf(own)).filter(({ job }) => job === `${plans[0]!.id}`);
      const comm = `/proc/${lease!.runner!.pid}/comm`;
      assert.equal((await own.host.exec(["cat", comm])).stdout, "gitlab-runner\n");

      await own.host.signal(dead!.runner, "SIGKILL");
      await dead!.runner.ended;
      await withAttempt(own, planOf(CHROOT), async (next) => {
        await begin(next);
        const left = await names(own);
        assert.ok(!left.some((name) => name.startsWith(`run-${plans[0]!.id}-`)), left.join());
        assert.equal(left.length, 3, left.join());
        assert.equal((await runScript(own, byHand, "echo here")).stdout, "here\n");
      });
      await own.host.signal(alive!.runner, "SIGKILL");
      await alive!.runner.ended;
      const swept = await own.call(["gc"]);
      assert.match(swept.stdout, /^Removing machine run-\S+: its GitLab Runner has ended$/m);
      assert.deepEqual(await names(own), [`run-${byHand}`]);
      for (const { job } of runners) await job.close();
    });
  },
);

onEachHost("a wrapper with the runner's name is not taken for the runner", async (site) => {
  const own = await site.with({ boot: false });
  const caller = await fakeRunner(own);
  const wrapper = `${caller[0]}-wrapper`;
  await own.put('#!/bin/sh\n"$@"\n', wrapper);
  const job = await attempt(own, planOf(CHROOT), undefined, [...caller, wrapper]);
  const runner = job.startPrepare();
  await runner.untilPrinted("it ended with 0");
  assert.equal((await own.call(["gc"])).stdout, "", "the runner lives");
  assert.equal((await leasesOf(own)).length, 1);
  await own.host.signal(runner, "SIGKILL");
  await runner.ended;
  assert.match((await own.call(["gc"])).stdout, /its GitLab Runner has ended$/m);
  await job.close();
});

/** Changes a lease, as time or a reboot would. */
async function age(site: Site, change: Partial<Record<keyof Lease, unknown>>): Promise<void> {
  const [lease] = await leasesOf(site);
  const path = site.host.outerPath(`${site.store}/.leases/${lease!.machine}.json`);
  await Deno.writeTextFile(path, JSON.stringify({ ...lease, ...change }));
}

for (
  const [what, change, reason] of [
    ["a deadline that is over", {
      deadline: "2020-01-01T00:00:00.000Z",
      deadlineUptime: 0,
    }, /its deadline was 2020/],
    ["another boot", { boot: "another" }, /the host was rebooted/],
  ] as const
) {
  onEachBoot(`gc ends a machine for ${what}, and only reports it in a dry run`, async (own) => {
    const id = newJob();
    assert.equal((await own.call(["prepare", CHROOT, "--id", id])).code, 0);
    assert.equal((await own.call(["gc"])).stdout, "", "its time is not over");
    await age(own, change);
    for (const [words, left] of [[["gc", "--dry-run"], 1], [["gc"], 0]] as const) {
      const done = await own.call(words);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, reason);
      assert.equal((await leasesOf(own)).length, left);
    }
    assert.equal((await own.call(["gc"])).stdout, "");
    assert.deepEqual(await leftovers(own.host), []);
  });
}

for (const storage of ["overlay", "tmpfs", "btrfs"] as const) {
  onEachBoot(`gc removes machines without a lease, ${storage}`, async (site) => {
    const there = storage === "btrfs" ? await site.onBtrfs() : site;
    if (there === null) return skipReal(`gc on ${storage}`, "no btrfs can be mounted here");
    const own = await there.with({ storage });
    const id = newJob();
    assert.equal((await own.call(["prepare", CHROOT, "--id", id])).code, 0);
    const lease = `${own.store}/.leases/run-${id}.json`;
    if (own.boots) await own.host.exec(["rm", lease]);
    else {
      const [{ leader }] = await leasesOf(own) as [Lease];
      await own.host.exec(["truncate", "--size=20", lease]);
      assert.equal((await own.call(["gc"])).stdout, "", "a damaged lease, and its machine lives");
      await own.host.exec(["sh", "-c", 'kill -s KILL "$1"', "sh", `${leader!.pid}`]);
    }
    const collect = async () => {
      const collected = await own.call(["gc"]);
      return collected.stdout === "" ? null : collected;
    };
    const done = await until(collect, 20_000);
    assert.ok(done);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, new RegExp(`run-${id}: no record of it, but .*its writes`));
    assert.deepEqual(await leftovers(own.host), []);
  });
}

onEachHost(
  "a job goes on while another version of the program starts and removes machines",
  async (site) => {
    const own = await site.with({ boot: false });
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      const [lease] = await leasesOf(own) as [Lease];
      const path = own.host.outerPath(`${own.store}/.leases/${lease.machine}.json`);
      const write = (one: unknown) => Deno.writeTextFile(path, JSON.stringify(one));
      // A later version wrote it, with other fields.
      await write({ ...lease, version: 2, deadline: undefined, new: {} });
      assert.equal((await own.call(["gc"])).stdout, "");
      await withAttempt(own, planOf(CHROOT), async (next) => {
        await begin(next);
        const other = (await leasesOf(own)).find(({ machine }) => machine !== lease.machine)!;
        if (lease.ids !== null) assert.notEqual(other.ids, lease.ids);
        if (lease.network.kind === "private") assert.notDeepEqual(other.network, lease.network);
        assertDone(await next.run("build_script", "echo next > /whose"));
      });
      // An earlier version wrote it, which did not know some of the fields.
      const { deadlineUptime: _, ...earlier } = lease;
      await write(earlier);
      assertDone(await job.run("build_script", "test ! -e /whose && echo here"));
    });
    assert.deepEqual(await leftovers(own.host), []);
  },
);

onEachHost("gc ends no machine of another container in the same cgroup hierarchy", async (site) => {
  const folder = `${site.host.cgroup}/nspawn-runner-run-99999`;
  // This test is in another PID namespace than the host: there, the process is 0.
  const neighbour = new Deno.Command("sleep", { args: ["60"] }).spawn();
  await Deno.mkdir(folder);
  try {
    await Deno.writeTextFile(`${folder}/cgroup.procs`, `${neighbour.pid}`);
    assert.equal((await site.call(["gc"])).stdout, "");
    assert.equal((await Deno.readTextFile(`${folder}/cgroup.procs`)).trim(), `${neighbour.pid}`);
  } finally {
    neighbour.kill("SIGKILL");
    await neighbour.status;
    await Deno.remove(folder);
  }
}, ["standalone"]);

onEachHost("gc touches no machine of another store", async (site) => {
  await withMachine(await site.with({ boot: false }), async (id) => {
    const other = await site.with({ store: `${site.store}/.tests/other-store` });
    const done = await other.call(["gc"]);
    assert.deepEqual([done.code, done.stdout], [0, ""], done.stderr);
    assert.equal((await runScript(site, id, "echo here")).stdout, "here\n");
  });
});

/** Kills a call after `delay` milliseconds: alone, or with the processes that it started and waits for. */
async function killed(site: Site, words: readonly string[], delay: number, alone: boolean) {
  const running = site.start(words);
  await new Promise((resolve) => setTimeout(resolve, delay));
  await (alone ? site.host.signalAlone(running, "SIGKILL") : site.host.signal(running, "SIGKILL"));
  await running.ended;
}

/** The number of points in each of the two calls, evenly spaced over its duration. */
const POINTS = 20;

onEachBoot(`calls that are killed at ${2 * POINTS} points leave nothing after gc`, async (own) => {
  await withAttempt(own, planOf(CHROOT), async (neighbour) => {
    await begin(neighbour);
    assertDone(await neighbour.run("build_script", "echo mine > /mark"));
    const first = newJob();
    const preparing = await timed(() => own.call(["prepare", CHROOT, "--id", first]));
    const cleaning = await timed(() => own.call(["cleanup", "--id", first]));
    for (let point = 1; point <= POINTS; point++) {
      const id = newJob();
      await killed(
        own,
        ["prepare", CHROOT, "--id", id],
        preparing * point / POINTS,
        point % 2 === 0,
      );
      await sweep(own, id);
      assert.equal((await own.call(["prepare", CHROOT, "--id", id])).code, 0);
      await killed(own, ["cleanup", "--id", id], cleaning * point / POINTS, point % 2 === 0);
      await sweep(own, id);
    }
    assert.equal((await neighbour.run("after_script", "cat /mark")).stdout, "mine\n");
  });
});

/** Checks that gc leaves a working machine, as before the killed call, or nothing of it. */
async function sweep(site: Site, id: string): Promise<void> {
  const done = await site.call(["gc"]);
  assert.equal(done.code, 0, done.stderr);
  if ((await names(site)).includes(`run-${id}`)) {
    assert.equal((await runScript(site, id, "echo whole")).stdout, "whole\n");
    assert.equal((await site.call(["cleanup", "--id", id])).code, 0);
  }
  assert.deepEqual(await leftovers(site.host, new RegExp(`^(?!.*${id})`)), []);
}
