/** Power cuts while machines run. */

import assert from "node:assert/strict";
import { CHROOT, newJob } from "../hosts/site.ts";
import { onVm } from "./site.ts";

onVm(
  "after a power cut gc removes the old boot's machines, and the next job runs",
  async (site) => {
    for (const boot of [true, false]) {
      await site.define(`boot = ${boot}\n`);
      const id = newJob();
      assert.equal((await site.call(["prepare", CHROOT, "--id", id])).code, 0);
      assert.equal((await site.runScript(id, "echo here > /mark; sync\n")).code, 0);
    }
    await site.vm.cutPower();
    const dry = await site.call(["gc", "--dry-run"]);
    assert.equal(dry.stdout.match(/^Would remove .*: the host was rebooted$/gm)?.length, 2);
    const done = await site.call(["gc"]);
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(await site.leftovers(), []);
    const job = await site.call(["simulate", "--image", CHROOT, "--", "test", "!", "-e", "/mark"]);
    assert.equal(job.code, 0, job.stderr);
  },
);

onVm("after a power cut the next prepare also removes the old boot's machines", async (site) => {
  const [old, next] = [newJob(), newJob()];
  assert.equal((await site.call(["prepare", CHROOT, "--id", old])).code, 0);
  await site.vm.cutPower();
  assert.equal((await site.call(["prepare", CHROOT, "--id", next])).code, 0);
  const listed = JSON.parse((await site.call(["list", "--json"])).stdout);
  assert.deepEqual(listed.map(({ id }: { id: string }) => id), [next]);
  assert.equal((await site.call(["cleanup", "--id", next])).code, 0);
});
