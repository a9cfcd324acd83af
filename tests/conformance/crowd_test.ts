/** Many concurrent jobs. */

import assert from "node:assert/strict";
import { onEachBoot } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";
import { assertDone, begin, planOf, withAttempt } from "./stages.ts";

const JOBS = 16;

onEachBoot(`${JOBS} jobs at once do not see each other`, async (site) => {
  await Promise.all(Array.from({ length: JOBS }, async () => {
    const plan = planOf(CHROOT);
    await withAttempt(site, plan, async (job) => {
      await begin(job);
      assertDone(await job.run("build_script", `echo ${plan.id} >> /mark`));
      const done = await job.run("after_script", "cat /mark; sleep 1");
      assertDone(done);
      assert.equal(done.stdout, `${plan.id}\n`);
    });
  }));
});
