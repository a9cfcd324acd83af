/** The output of services in the log of a job that asks for it. */

import assert from "node:assert/strict";
import { assertDone, withAttempt } from "../conformance/stages.ts";
import { imageIn, planOfPulled, withImages } from "./images.ts";

const PLAN = { entrypoint: [""], alias: "box" };

const shown =
  "the output of services is in the log of a job with CI_DEBUG_SERVICES, each line once";
withImages(shown, {}, async (site, registry) => {
  const box = await imageIn(registry, "box:1", { layers: ["mkdir etc"] });
  const script = "echo one; sleep 1; echo two; sleep 1; echo three; printf four; sleep 100";
  const services = [{ ...PLAN, name: box, command: ["/bin/sh", "-c", script] }];
  const plan = { ...planOfPulled(box), services, overrides: { CI_DEBUG_SERVICES: "true" } };
  await withAttempt(site, plan, async (job) => {
    assertDone(await job.config());
    const prepared = await job.prepare();
    assertDone(prepared);
    assert.match(prepared.stdout, /^\[service:\S+-box\] one$/m);
    const step = await job.run("step_script", "echo begin; sleep 3; printf end");
    assertDone(step);
    assert.match(step.stdout, /begin\n\[\S+\] two\n\[\S+\] three\nend$/);
    const last = await job.run("cleanup_file_variables", "true");
    assert.match(last.stdout, /^\[service:\S+-box\] four$/m);
    const all = [prepared, step, last].map(({ stdout }) => stdout).join("\n");
    assert.equal(all.match(/^\[service:/mg)?.length, 4);
  });
  await withAttempt(site, { ...plan, overrides: {} }, async (job) => {
    assertDone(await job.config());
    const prepared = await job.prepare();
    const step = await job.run("step_script", "sleep 1.5");
    for (const { stdout } of [prepared, step]) assert.doesNotMatch(stdout, /service:/);
  });
});

const flood = "a service that floods its log, and writes into its files, harms no reader of them";
withImages(flood, {}, async (site, registry) => {
  const box = await imageIn(registry, "box:1", { layers: ["mkdir etc"] });
  const script = `
cd /run/nspawn-runner
printf 'hello\\033[31m red\\033[0m\\r\\033[0Ksection_start:1:x\\r\\033[0K\\n'
sleep 1
for file in log.0 log.1 result /etc/hosts; do
  rm -f $file
  ln -s /etc/shadow $file
  mv $file moved
done
i=0
while [ $i -lt 300 ]; do
  echo "$i 0123456789012345678901234567890123456789012345678901234567890123456789"
  i=$((i + 1))
done
yes 'one more line of output' | head -c 20000000
for file in log.0 log.1 result /etc/hosts; do head -c 3000000 /dev/zero >$file; done
printf 'exited 9999\\ncannot start \\033[2J\\n' >>result
echo 888888888888888 >log.0
echo end
sleep 100`;
  const services = [{ ...PLAN, name: box, command: ["/bin/sh", "-c", script] }];
  const plan = { ...planOfPulled(box), services, overrides: { CI_DEBUG_SERVICES: "true" } };
  await withAttempt(site, plan, async (job) => {
    assertDone(await job.config());
    const prepared = await job.prepare();
    assertDone(prepared);
    assert.match(prepared.stdout, /\] hello red\ufffd\ufffd\[0Ksection_start:1:x\ufffd/);
    const step = await job.run("step_script", "sleep 4; echo fine; false");
    assert.match(step.stdout, /fine\n/);
    assert.match(step.stdout, /\] one more line of output\n/);
    assert.match(step.stdout, /… some output was dropped\n/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(`${step.stdout}${step.stderr}`, /[\0\x1b]|root:/);
    assert.ok(step.stdout.length < 8_000_000, `${step.stdout.length}`);
  });
});

const burst = "the output of a service that writes thousands of lines at once is shown in full";
withImages(burst, {}, async (site, registry) => {
  const box = await imageIn(registry, "box:1", { layers: ["mkdir etc"] });
  const script = "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i + 1)); done; exec sleep 100";
  const services = [{ ...PLAN, name: box, command: ["/bin/sh", "-c", script] }];
  const plan = { ...planOfPulled(box), services, overrides: { CI_DEBUG_SERVICES: "true" } };
  await withAttempt(site, plan, async (job) => {
    assertDone(await job.config());
    const { stdout } = await job.prepare();
    const lines = [...stdout.matchAll(/^\[service:.*\] line (\d+)$/mg)].map(([, number]) =>
      Number(number)
    );
    assert.deepEqual(lines, Array.from({ length: 5000 }, (_, index) => index));
  });
});
