/** The machines of a job and of its services: how they reach one another, and what they share. */

import assert from "node:assert/strict";
import { assertDone, leasesOf, withAttempt } from "../conformance/stages.ts";
import { imageIn, planOfPulled, withImages } from "./images.ts";

/** busybox finds no name without it. */
const NAMES = "mkdir etc && echo hosts: files dns >etc/nsswitch.conf";

/** Serves /builds and /cache, and answers with the time at which it got a line at port 81. */
const SERVER = {
  layers: [
    `cat >serve <<'END'
#!/bin/sh
cat /etc/hosts >/builds/hosts-of-$NAME
while :; do nc -l -p 81 >/builds/line-for-$NAME; done &
exec httpd -f -h /builds
END
chmod 755 serve`,
  ],
  config: ["--config.entrypoint=/serve", "--config.exposedports=80/tcp"],
};

const SCRIPT = `
set -e
echo from the job >/builds/page
wget -qO- http://web/page
wget -qO- http://other/page
stat -c '%U %a' /builds/hosts-of-one
cat /builds/hosts-of-two
(nc -l -p 90 >/builds/from-service) &
sleep 0.2
`;

const seen = "a job and its services reach each other by their names, and share /builds";
withImages(seen, {}, async (site, registry) => {
  const image = await imageIn(registry, "app:1", { layers: [NAMES] });
  const web = await imageIn(registry, "g/web:1", SERVER);
  const services = [
    { name: web, alias: "web", variables: { NAME: "one" } },
    { name: web, alias: "other", variables: { NAME: "two" } },
  ];
  const plan = { ...planOfPulled(image), services };
  await withAttempt(site, plan, async (job) => {
    assertDone(await job.config());
    assertDone(await job.prepare());
    const done = await job.run("step_script", SCRIPT);
    assertDone(done);
    assert.match(done.stdout, /^from the job\nfrom the job\nroot 644\n/);
    assert.match(done.stdout, /^[\d.]+\tbuild$/m);
    const leases = await leasesOf(site);
    assert.equal(leases.length, 3);
    assert.equal(new Set(leases.map(({ ids }) => ids)).size, 1, "all have the same user ids");
    assertDone(await job.cleanup());
    assert.deepEqual(await leasesOf(site), []);
  });
});
