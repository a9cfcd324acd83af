/** The program on Debian 12, whose systemd is older than that of the other tests' hosts. */

import assert from "node:assert/strict";
import { hostTest } from "../hosts/check.ts";
import { installed } from "../hosts/installed.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { CHROOT, siteOn } from "../hosts/site.ts";
import { bootSystemd } from "../hosts/systemd.ts";

hostTest("a host of Debian 12 runs jobs in booted and plain machines", async () => {
  const installation = await installed();
  const host = await bootSystemd("bookworm", [installation.prefix]);
  try {
    const version = await host.exec(["systemd-nspawn", "--version"]);
    assert.match(version.stdout, /^systemd 252 /);
    const site = await siteOn(host, installation);
    for (const boot of [true, false]) {
      const own = await site.with({ boot });
      const words = ["simulate", "--image", CHROOT, "--", "sh", "-c", "cat /proc/1/comm; exit 3"];
      const done = await own.call(words);
      assert.equal(done.code, 3, done.stderr);
      assert.equal(/^systemd$/m.test(done.stdout), boot, done.stdout);
    }
    assert.deepEqual(await leftovers(host), []);
  } finally {
    await host.close();
  }
});
