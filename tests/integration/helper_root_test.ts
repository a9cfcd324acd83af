/** GitLab Runner's own stages in the helper root, and scripts in a chroot that has nothing but busybox. */

import assert from "node:assert/strict";
import { assertDone, begin, planOf, withAttempt } from "../conformance/stages.ts";
import { onEachHost } from "../hosts/shared.ts";
import { BUSYBOX, withTwoRoots } from "./helper_root.ts";

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
