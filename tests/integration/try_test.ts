/** The README's first command, on machines of both kinds. */

import assert from "node:assert/strict";
import { installed } from "../hosts/installed.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { siteOn } from "../hosts/site.ts";
import { noMachinesBecause, startStandalone } from "../hosts/standalone.ts";
import { bootSystemd } from "../hosts/systemd.ts";
import { skipReal } from "../skip.ts";
import { checkout, withPrefix } from "./installer.ts";

const MINUTES = 60_000;

/** What the sample job says from inside its machine. */
const SAMPLE = /^A file written here is gone with the machine: written$/m;

Deno.test("install.sh --try on a host with systemd and without Deno", async (test) => {
  const reason = await noMachinesBecause();
  if (reason !== null) return skipReal(test.name, reason);
  const host = await bootSystemd("trixie", [checkout]);
  try {
    const done = await host.exec([`${checkout}/install.sh`, "--try"], { timeout: 10 * MINUTES });
    assert.equal(done.code, 0, done.stdout + done.stderr);
    assert.match(done.stdout, /^Installed \/usr\/local\/bin\/nspawn-runner /m);
    assert.match(done.stdout, /^Making the chroot trixie$/m);
    assert.match(done.stdout, SAMPLE);
    assert.deepEqual(await leftovers(host), []);
  } finally {
    await host.close();
  }
});

Deno.test("install.sh --try on a host without systemd, with its chroot there", async (test) => {
  const reason = await noMachinesBecause();
  if (reason !== null) return skipReal(test.name, reason);
  const host = await startStandalone();
  try {
    const site = await siteOn(host, await installed());
    await withPrefix(async (prefix) => {
      const words = ["--try", "--no-deps", "--prefix", prefix];
      const done = await host.exec([`${checkout}/install.sh`, ...words], {
        env: { DENO: Deno.execPath(), NSPAWN_RUNNER_CONFIG: site.config },
        timeout: 10 * MINUTES,
      });
      assert.equal(done.code, 0, done.stdout + done.stderr);
      assert.doesNotMatch(done.stdout, /^Making the chroot/m);
      assert.match(done.stdout, SAMPLE);
    });
    assert.deepEqual(await leftovers(host), []);
  } finally {
    await host.close();
  }
});
