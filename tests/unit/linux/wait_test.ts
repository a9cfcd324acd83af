import assert from "node:assert/strict";
import type { Host } from "../../../src/host/host.ts";
import { until } from "../../../src/linux/wait.ts";
import { recordingHost } from "../recording_host.ts";

/** Returns a host whose naps are as long as they are asked to be. */
function exactHost(): Host {
  const { host } = recordingHost();
  return { ...host, clock: { ...host.clock, nap: host.clock.sleep } };
}

Deno.test("until() ends after the time-out, and asks at least once", async () => {
  const host = exactHost();
  let asked = 0;
  assert.ok(!await until(host, { timeout: 100 }, () => Promise.resolve(++asked < 0)));
  assert.ok(asked > 10 && asked < 100);
  assert.ok(await until(host, { timeout: 0 }, () => Promise.resolve(true)));
});

Deno.test("until() returns the first truthy answer, or the last one", async () => {
  const host = exactHost();
  const began = host.clock.now();
  const answers = [null, null, "lock", "later"];
  assert.equal(await until(host, {}, () => answers.shift() ?? null), "lock");
  assert.equal(host.clock.now() - began, 6);
  assert.equal(await until(host, { timeout: 0 }, () => 0), 0);
});

Deno.test("until() asks at the given interval, and never again after the signal", async () => {
  const { host } = recordingHost();
  const began = host.clock.now();
  const controller = new AbortController();
  let asked = 0;
  const aborting = {
    ...host,
    clock: {
      ...host.clock,
      sleep: (ms: number) => {
        if (asked === 3) controller.abort();
        return host.clock.sleep(ms);
      },
    },
  };
  const wait = { interval: 500, signal: controller.signal };
  assert.equal(await until(aborting, wait, () => ++asked > 9), false);
  assert.deepEqual([asked, host.clock.now() - began], [3, 1500]);
});
