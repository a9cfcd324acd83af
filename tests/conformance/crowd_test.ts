/** Many jobs at once. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";
import { assertDone, begin, planOf, withAttempt } from "./stages.ts";

const JOBS = 16;

for (const boot of [true, false]) {
  onEachHost(
    `${JOBS} jobs at once do not see each other, ${boot ? "booted" : "plain"}`,
    async (site) => {
      const own = await site.with({ boot });
      await Promise.all(Array.from({ length: JOBS }, async () => {
        const plan = planOf(CHROOT);
        await withAttempt(own, plan, async (job) => {
          await begin(job);
          assertDone(await job.run("build_script", `echo ${plan.id} >> /mark`));
          const done = await job.run("after_script", "cat /mark; sleep 1");
          assertDone(done);
          assert.equal(done.stdout, `${plan.id}\n`);
        });
      }));
    },
  );
}
