/** The folder that `pipeline` gives to the machines of its jobs. */

import assert from "node:assert/strict";
import { assertDone, begin, planOf, withAttempt } from "../conformance/stages.ts";
import { onEachBoot, onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site } from "../hosts/site.ts";
import { BUSYBOX, withTwoRoots } from "./helper_root.ts";
import { PATIENCE, succeed } from "./store.ts";

/** What scripts of each stage do with the folder. */
const USE = `cd /run/nspawn-runner/input && cat ./* && { ! touch new; } 2>/dev/null &&
{ ! echo more >>"sources: x"; } 2>/dev/null && { ! mount -o remount,bind,rw . || touch new; } 2>/dev/null
ls
`;

/** Runs a test with a folder of a pipeline, which no user of the host but root reaches. */
async function withInput(own: Site, body: (input: string) => Promise<void>): Promise<void> {
  const root = `${own.store}/.pipelines`;
  const input = `${root}/${newJob()}/in:put`;
  const lay =
    `umask 022; mkdir -p '${input}' && chmod 700 ${root} && echo bytes >'${input}/sources: x'`;
  await own.host.exec(["sh", "-c", lay]);
  try {
    await body(input);
    const list = await own.host.exec(["sh", "-c", `cat '${input}'/*`]);
    assert.equal(list.stdout, "bytes\n");
  } finally {
    await own.host.exec(["rm", "-rf", root]);
  }
}

async function inMachine(
  own: Site,
  image: string,
  input: string,
  body: (id: string) => Promise<void>,
): Promise<void> {
  const id = newJob();
  const env = { NSPAWN_RUNNER_INPUT: input };
  const prepared = await own.call(["prepare", image, "--id", id], { ...PATIENCE, env });
  try {
    assert.equal(prepared.code, 0, prepared.stderr);
    await body(id);
  } finally {
    await succeed(own, "cleanup", "--id", id);
  }
}

onEachBoot(
  "a machine sees the folder of its caller, and cannot change it",
  (site) =>
    withInput(site, (input) =>
      inMachine(site, CHROOT, input, async (id) => {
        assert.equal((await runScript(site, id, USE)).stdout, "bytes\nsources: x\n");
      })),
);

for (const private_users of ["auto", "off"]) {
  onEachHost(
    `scripts of both roots see the folder of their caller, private_users ${private_users}`,
    (site) =>
      withTwoRoots(site, { private_users }, (own) =>
        withInput(own, async (input) => {
          const caller = ["env", `NSPAWN_RUNNER_INPUT=${input}`];
          await withAttempt(
            own,
            planOf(BUSYBOX),
            async (job) => {
              await begin(job);
              for (const stage of ["get_sources", "step_script", "upload_artifacts_on_success"]) {
                const done = await job.runScript(stage, USE);
                assertDone(done);
                assert.equal(done.stdout, "bytes\nsources: x\n", stage);
              }
            },
            undefined,
            caller,
          );
        })),
  );
}

onEachHost(
  "prepare refuses a folder that is not root's, or lies elsewhere",
  (site) =>
    withInput(site, async (input) => {
      await site.host.exec([
        "sh",
        "-c",
        `mkdir '${input}-open' && chown 1000 '${input}-open'
ln -s /etc '${input}-link'`,
      ]);
      for (const path of ["/etc", `${input}-open`, `${input}-link`, `${input}/..`, "/.pipelines"]) {
        const env = { NSPAWN_RUNNER_INPUT: path };
        const done = await site.call(["prepare", CHROOT, "--id", newJob()], { env });
        assert.equal(done.code, 1, path);
        assert.match(done.stderr, /^nspawn-runner: Cannot give folder .* to the machine: /m);
        assert.match(done.stderr, /Unset NSPAWN_RUNNER_INPUT/);
      }
    }),
);

onEachHost(
  "no variable of a job is the folder of its caller",
  (site) =>
    withInput(site, async (input) => {
      const overrides = { NSPAWN_RUNNER_INPUT: input };
      await withAttempt(site, { ...planOf(CHROOT), overrides }, async (job) => {
        await begin(job);
        const done = await job.runScript(
          "get_sources",
          "! test -e /run/nspawn-runner/input && echo none\n",
        );
        assertDone(done);
        assert.equal(done.stdout, "none\n");
      });
    }),
);
