/** GitLab Runner's own stages in the helper root, and scripts in a chroot that has nothing but busybox. */

import assert from "node:assert/strict";
import { assertDone, begin, planOf, withAttempt } from "../conformance/stages.ts";
import { onEachHost } from "../hosts/shared.ts";
import { addBusybox, BUSYBOX, withTwoRoots } from "./helper_root.ts";
import { listed, PATIENCE, succeed, withStore } from "./store.ts";

for (const private_users of ["auto", "off"]) {
  onEachHost(
    `stages of GitLab Runner run in the helper root, scripts in the chroot, private_users ${private_users}`,
    (site) =>
      withTwoRoots(site, { private_users }, async (own) => {
        await withAttempt(own, planOf(BUSYBOX), async (job) => {
          await begin(job);
          const sources = await job.run(
            "get_sources",
            `git init -q ${job.project()} && cd ${job.project()} && echo sources >file && pwd && id -u
             echo $HOME && ls -A $HOME && touch $HOME/mark && ls /proc/self/status /dev/null`,
          );
          assertDone(sources);
          assert.equal(
            sources.stdout,
            `${job.project()}\n0\n/root/home\n/dev/null\n/proc/self/status\n`,
          );
          // The config stage answers sh for such a chroot.
          const script = await job.runScript(
            "step_script",
            `#!/usr/bin/env sh
cd ${job.project()} && cat file && test ! -e /usr/bin/git && echo script >made && readlink /proc/$$/exe`,
          );
          assertDone(script);
          assert.equal(script.stdout, "sources\n/bin/busybox\n");
          const upload = await job.run(
            "upload_artifacts_on_success",
            `cat ${job.project()}/made; ls -A $HOME`,
          );
          assertDone(upload);
          assert.equal(upload.stdout, "script\n");
        });
      }),
  );
}

onEachHost(
  "the first job that needs the helper root makes it, others wait, and maintenance keeps it",
  (site) =>
    withStore(site, {}, async (own) => {
      await addBusybox(own);
      const attempts = [planOf(BUSYBOX), planOf(BUSYBOX)];
      await withAttempt(own, attempts[0]!, async (first) => {
        await withAttempt(own, attempts[1]!, async (second) => {
          for (const job of [first, second]) assertDone(await job.config());
          const running = [first, second].map((job) => job.startPrepare());
          const logs = (await Promise.all(running.map(({ ended }) => ended)))
            .map(({ code, stderr }) => `${code} ${stderr}`);
          assert.equal(logs.filter((log) => log.startsWith("0 ")).length, 2, logs.join(""));
          assert.equal(logs.filter((log) => /^.*Making chroot helper/.test(log)).length, 1);
          const sources = await second.run(
            "get_sources",
            "git lfs version && ssh -V && git --version",
          );
          assertDone(sources);
          // A machine uses it.
          assert.equal((await own.call(["chroot-remove", "helper"])).code, 1);
        });
      });
      assert.equal((await listed(own, "helper"))?.origin, "trixie");
      const kept = await own.call(["chroot-maintenance", "--check"], PATIENCE);
      assert.match(kept.stderr, /^helper: /m);
      await succeed(own, "chroot-remove", "helper");
    }),
  ["standalone"],
);
