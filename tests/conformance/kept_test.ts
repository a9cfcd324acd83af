/** Machines of failed jobs that are kept. */

import assert from "node:assert/strict";
import { quoteAll } from "../../src/text/quote.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { onEachBoot, onEachHost, onEachMachine } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site } from "../hosts/site.ts";
import { onTerminal } from "../hosts/terminal.ts";
import { skipReal } from "../skip.ts";
import {
  assertDone,
  assertFailed,
  begin,
  leasesOf,
  loseMachine,
  planOf,
  withAttempt,
} from "./stages.ts";

async function states(site: Site): Promise<Record<string, string>> {
  const { stdout } = await site.call(["list", "--json"]);
  return Object.fromEntries(
    JSON.parse(stdout).map(({ id, state }: { id: string; state: string }) => [id, state]),
  );
}

async function keepsWith(site: Site): Promise<void> {
  const id = newJob();
  assert.equal((await site.call(["prepare", CHROOT, "--id", id])).code, 0);
  const failed = await runScript(site, id, "echo trace | tee /root/trace >/tmp/trace; exit 3");
  assert.equal(failed.code, 3);
  assert.match(failed.stderr, new RegExp(`kept for 30 min .*: nspawn-runner shell ${id}$`, "m"));
  assert.equal((await site.call(["cleanup", "--id", id])).code, 0);
  assert.deepEqual(await states(site), { [id]: "held" });
  assert.deepEqual(await leftovers(site.host, /^(?!process|unit)/), []);

  const look = await site.call(["shell", id], { stdin: "cat /root/trace /tmp/trace; exit 5\n" });
  assert.deepEqual([look.code, look.stdout], [5, "trace\ntrace\n"], look.stderr);
  assert.equal((await site.call(["gc"])).stdout, "", "its time is not over");

  // The job's id can be used again, and a machine that succeeds is not kept.
  assert.equal((await site.call(["prepare", CHROOT, "--id", id])).code, 0);
  assert.equal((await runScript(site, id, "test ! -e /root/trace")).code, 0);
  const beside = await site.call(["shell", id], { stdin: "hostname\n" });
  assert.equal(beside.stdout, `run-${id}\n`, beside.stderr);
  assert.equal((await site.call(["cleanup", "--id", id])).code, 0);

  const done = await site.call(["shell", id, "--done"]);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(await states(site), {});
  assert.equal((await site.call(["shell", id, "--done"])).code, 1);
  assert.deepEqual(await leftovers(site.host), []);
}

for (const storage of ["overlay", "tmpfs", "btrfs"] as const) {
  onEachBoot(`files of a failed script are kept and shown, ${storage}`, async (site) => {
    const own = storage === "btrfs" ? await site.onBtrfs() : site;
    if (own === null) return skipReal(`kept on ${storage}`, "no btrfs can be mounted here");
    await keepsWith(await own.with({ storage, keep_failed: "30min" }));
  });
}

onEachHost(
  "only the user's own failure is kept, not a cancelled job, a lost machine or a failed after_script",
  async (site) => {
    const own = await site.with({ boot: false, keep_failed: "30min" });
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      assertDone(await job.run("build_script", "true"));
      assertFailed(await job.run("after_script", "false"), 1);
    });
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      const running = await job.startRun("build_script", "echo begun\nsleep 60");
      await running.untilPrinted("begun");
      await own.host.signal(running, "SIGTERM");
      await running.ended;
    });
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      assertFailed(await job.run("build_script", "exit 4"), 4);
      await loseMachine(own);
    });
    assert.deepEqual(await leasesOf(own), []);
  },
);

onEachBoot("shell begins in the folder of the project, beside a job and after it", async (site) => {
  const own = await site.with({ keep_failed: "30min" });
  const plan = planOf(CHROOT);
  const folderIn = async () =>
    (await own.call(["shell", `${plan.id}`], { stdin: "pwd\n" })).stdout.trim();
  await withAttempt(own, plan, async (job) => {
    await begin(job);
    assertFailed(await job.run("build_script", 'mkdir -p "$CI_PROJECT_DIR"; exit 4'), 4);
    assert.equal(await folderIn(), job.project());
  });
  assert.equal(await folderIn(), "/builds/group/project");
  assert.equal((await own.call(["shell", `${plan.id}`, "--done"])).code, 0);
});

onEachHost("gc removes kept machines after their time and after a reboot", async (site) => {
  const own = await site.with({ boot: false, keep_failed: "30min" });
  for (const change of [{ held: "2020-01-01T00:00:00.000Z" }, { boot: "another" }]) {
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      assertFailed(await job.run("build_script", "exit 4"), 4);
    });
    const [lease] = await leasesOf(own);
    assert.match(lease!.machine, /^held-/);
    assert.deepEqual(lease!.network, { kind: "none" }, "its address is free");
    const path = own.host.outerPath(`${own.store}/.leases/${lease!.machine}.json`);
    await Deno.writeTextFile(path, JSON.stringify({ ...lease, ...change }));
    assert.match((await own.call(["gc"])).stdout, /^Removing machine held-/m);
    assert.deepEqual(await leftovers(own.host), []);
  }
});

onEachMachine("shell works on a terminal, beside a job", async (site, id) => {
  const words = quoteAll(site.words(["shell", id]));
  const done = await onTerminal(site, words, [["# ", 'echo "got $((40 + 2))"'], [
    "got 42",
    "exit 7",
  ]]);
  assert.equal(done.code, 7, done.stdout + done.stderr);
  assert.match(done.stdout, /^got 42\r$/m);
});
