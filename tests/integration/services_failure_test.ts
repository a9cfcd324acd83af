/** What the log of a failed job tells of its services. */

import assert from "node:assert/strict";
import {
  assertDone,
  assertFailed,
  begin,
  leasesOf,
  planOf,
  withAttempt,
} from "../conformance/stages.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";
import { imageIn, planOfPulled, withImages } from "./images.ts";
import { define, linkChroot, withStore } from "./store.ts";

const NAMES = "mkdir etc && echo hosts: files dns >etc/nsswitch.conf";

const failed = "a failed script names the services that ended or were never ready, and no others";
withImages(failed, { wait_for_services_timeout: 1 }, async (site, registry) => {
  const box = await imageIn(registry, "box:1", {
    layers: [NAMES],
    config: ["--config.exposedports=80/tcp"],
  });
  const shell = (script: string) => ["/bin/sh", "-c", script];
  const services = [
    { name: box, alias: "dies", command: shell("httpd -f & sleep 2; echo FATAL: no disk; exit 3") },
    { name: box, alias: "late", command: shell("echo still loading; exec sleep 100") },
    { name: box, alias: "good", command: shell("exec httpd -f") },
    { name: box, alias: "killed", command: shell("exec httpd -f") },
  ].map((service) => ({ ...service, entrypoint: [""] }));
  await withAttempt(site, { ...planOfPulled(box), services }, async (job) => {
    await begin(job);
    const leases = await leasesOf(site);
    const killed = leases.find(({ service }) => service?.aliases.includes("killed"));
    await site.host.exec(["sh", "-c", 'kill -s KILL "$1"', "sh", `${killed!.leader!.pid}`]);
    assertDone(await job.run("get_sources", "sleep 2"));
    const done = await job.run("step_script", "exit 7");
    assertFailed(done, 7);
    const lines = done.stderr.split("\n").filter((line) => line.includes("service "));
    const tails = lines.map((line) => line.replace(/^nspawn-runner: service \S+ /, ""));
    assert.deepEqual(tails, [
      '(dies) ended with 3: "FATAL: no disk"',
      '(late) was not ready in time: "still loading"',
      "(killed) has ended, and wrote nothing",
    ]);
  });
});

onEachHost("a failed script names the failed units of a service that boots", async (site) => {
  await withStore(site, {}, async (own) => {
    await linkChroot(own, site);
    const service = `[[services]]\nname = "${CHROOT}"\nalias = "db"\n`;
    await define(own, CHROOT, `suite = "bookworm"\nboot = true\n${service}`);
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      const [lease] = await leasesOf(own);
      const id = lease!.machine.replace("run-", "");
      const stdin = "systemd-run --quiet --unit=broken --wait false\n";
      await own.call(["shell", `${id}/db`], { stdin });
      const failed = await job.run("step_script", "exit 7");
      assertFailed(failed, 7);
      assert.match(
        failed.stderr,
        /^nspawn-runner: service \S+ \(db\) has failed units: .*broken\.service/m,
      );
    });
  });
});
