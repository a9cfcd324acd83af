/** The README's first command, `install.sh --try`, on hosts with and without systemd. */

import assert from "node:assert/strict";
import { hostTest } from "../hosts/check.ts";
import { installed } from "../hosts/installed.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { CHROOT, siteOn } from "../hosts/site.ts";
import { startStandalone } from "../hosts/standalone.ts";
import { bootSystemd } from "../hosts/systemd.ts";
import { checkout, fetchDenort, withPrefix } from "./installer.ts";

const MINUTES = 60_000;

/** Links the chroot to the name of the host's suite, in the store $1, since --try looks for that name. */
const NAME_BY_SUITE = `. /etc/os-release
[ "$ID" = debian ] && [ ! -e "$1/$VERSION_CODENAME" ] && ln -s ${CHROOT} "$1/$VERSION_CODENAME"`;

/** Printed by the sample job inside its machine. */
const SAMPLE = /^A file written here is gone with the machine: written$/m;

hostTest("install.sh --try on a host with systemd and without Deno", async () => {
  const host = await bootSystemd("trixie", [checkout]);
  try {
    const install = (...words: string[]) =>
      host.exec([`${checkout}/install.sh`, ...words], { timeout: 10 * MINUTES });
    const done = await install("--try", "--timers");
    assert.equal(done.code, 0, done.stdout + done.stderr);
    assert.match(done.stdout, /^Installed \/usr\/local\/bin\/nspawn-runner /m);
    assert.match(done.stdout, /^Creating the chroot trixie$/m);
    assert.match(done.stdout, SAMPLE);
    assert.match(done.stdout, /^Wrote \/etc\/nspawn-runner\/config\.toml: [^]*^Installed /m);
    assert.match(done.stdout + done.stderr, /, network of its own$/m);
    const configuration = "/etc/nspawn-runner/config.toml";
    const written = await host.exec(["cat", configuration]);
    assert.match(written.stdout, /^(?:(?:#.*)?\n)*network = "private"\n$/);
    assert.deepEqual(await leftovers(host, /nspawn-runner-(gc|maintenance)\./), []);

    const timers = ["nspawn-runner-gc.timer", "nspawn-runner-maintenance.timer"];
    const active = ["systemctl", "is-active", ...timers];
    assert.equal((await host.exec(active)).stdout, "active\nactive\n");
    for (const job of ["gc", "maintenance"]) { // no chroot is defined
      const done = await host.exec(["systemctl", "start", `nspawn-runner-${job}.service`]);
      assert.equal(done.code, 0, done.stderr);
    }
    // An upgrade neither changes the configuration nor writes one.
    const mine = "# mine\n";
    await host.exec(["tee", configuration], { stdin: mine });
    const textfiles = "/var/lib/prometheus/node-exporter";
    await host.exec(["mkdir", "-p", textfiles]);
    const upgrade = await install("--no-deps");
    assert.equal(upgrade.code, 0, upgrade.stderr);
    assert.equal((await host.exec(["cat", configuration])).stdout, mine);
    timers.push("nspawn-runner-metrics.timer");
    assert.equal(
      (await host.exec(["systemctl", "is-active", ...timers])).stdout,
      "active\n".repeat(3),
    );
    const measured = await host.exec(["systemctl", "start", "nspawn-runner-metrics.service"]);
    assert.equal(measured.code, 0, measured.stderr);
    const metrics = await host.exec(["cat", `${textfiles}/nspawn-runner.prom`]);
    assert.match(metrics.stdout, /^nspawn_runner_jobs_total\{outcome="success"\} 1$/m);
    await host.exec(["rm", configuration]);
    const again = await install("--no-deps");
    assert.equal(again.code, 0, again.stderr);
    assert.notEqual((await host.exec(["cat", configuration])).code, 0);
    const gone = await install("--uninstall");
    assert.equal(gone.code, 0, gone.stderr);
    assert.notEqual((await host.exec(active)).code, 0);
    assert.equal((await host.exec(["find", textfiles, "-type", "f"])).stdout, "");
    const left = await host.exec(["sh", "-c", "ls /etc/systemd/system/nspawn-runner*"]);
    assert.equal(left.stdout, "");
    assert.match((await host.exec(["ls", "/var/lib/nspawn-runner"])).stdout, /^trixie$/m);
  } finally {
    await host.close();
  }
});

const AS_EXECUTABLE = "install.sh --try on a host without systemd, with a chroot, as an executable";

hostTest(AS_EXECUTABLE, async () => {
  const denort = await fetchDenort(AS_EXECUTABLE);
  if (denort === null) return;
  const host = await startStandalone();
  try {
    const site = await siteOn(host, await installed());
    await host.exec(["sh", "-c", NAME_BY_SUITE, "sh", site.store]);
    await withPrefix(async (prefix) => {
      const words = ["--try", "--no-deps", "--prefix", prefix];
      const done = await host.exec([`${checkout}/install.sh`, ...words], {
        env: { ...denort, NSPAWN_RUNNER_CONFIG: site.config },
        timeout: 10 * MINUTES,
      });
      assert.equal(done.code, 0, done.stdout + done.stderr);
      assert.match(done.stdout, /^Installed .*, executable\)$/m);
      assert.doesNotMatch(done.stdout, /^Creating the chroot/m);
      assert.match(done.stdout, SAMPLE);
    });
    assert.deepEqual(await leftovers(host), []);
  } finally {
    await host.close();
  }
});
