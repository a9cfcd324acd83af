/** Locks, taken by two hosts of one test as by two processes. */

import assert from "node:assert/strict";
import {
  lockedMachines,
  unlessMachineLocked,
  unlessProbing,
  whileMachineLocked,
  whileProbing,
  whileReserving,
} from "../../../../src/machines/record/lock.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { inFolder } from "../../recording_host.ts";
import { standaloneHost } from "../standalone_host.ts";

const MACHINE = machineName("42", undefined);
const LOCK = `/run/nspawn-runner/${MACHINE}.lock`;

/** Runs a test with a host whose /run is a folder of its own. */
function onHost(act: (host: ReturnType<typeof standaloneHost>["host"]) => Promise<void>) {
  return () => inFolder((folder) => act(standaloneHost(folder, () => {}).host));
}

Deno.test(
  "whileMachineLocked() holds the lock while it acts, and leaves no file of it",
  onHost(async (host) => {
    const result = await whileMachineLocked(host, MACHINE, async () => {
      assert.equal(await host.files.lock(LOCK), null);
      assert.deepEqual([...await lockedMachines(host)], [MACHINE]);
      return "result";
    });
    assert.equal(result, "result");
    assert.equal(await host.files.lstat(LOCK), null);
    assert.deepEqual([...await lockedMachines(host)], []);
  }),
);

for (const isTrace of [true, false]) {
  Deno.test(
    `whileMachineLocked() that fails ${
      isTrace ? "leaves" : "leaves no"
    } trace for the next housekeeping`,
    onHost(async (host) => {
      const fail = () => Promise.reject(new Error("busy"));
      await assert.rejects(whileMachineLocked(host, MACHINE, fail, isTrace), /busy/);
      assert.equal(await host.files.lstat(LOCK) !== null, isTrace);
      let seen: boolean | undefined;
      await unlessMachineLocked(host, MACHINE, (wasKilled) => {
        seen = wasKilled;
        return Promise.resolve("settled");
      });
      assert.equal(seen, isTrace);
      assert.equal(await host.files.lstat(LOCK), null, "settled");
    }),
  );
}

Deno.test(
  "whileMachineLocked() refuses after its timeout, and does not act",
  onHost(async (host) => {
    await host.files.makeDirectory("/run/nspawn-runner");
    const lock = await host.files.lock(LOCK);
    const act = () => assert.fail("acted under another process's lock");
    await assert.rejects(whileMachineLocked(host, MACHINE, act), {
      kind: "host",
      message: /another process starts or ends it/,
      hint: /fuser -v .*run-42/,
    });
    assert.notEqual(await host.files.lstat(LOCK), null, "the lock of the other process stays");
    lock!.release();
  }),
);

Deno.test(
  "unlessMachineLocked() does nothing while another process holds the lock",
  onHost(async (host) => {
    await whileMachineLocked(host, MACHINE, async () => {
      await unlessMachineLocked(host, MACHINE, () => assert.fail("acted"));
      assert.notEqual(await host.files.lstat(LOCK), null);
    });
  }),
);

Deno.test(
  "unlessMachineLocked() leaves the trace of a killed process as long as its work is open",
  onHost(async (host) => {
    await host.files.makeDirectory("/run/nspawn-runner");
    (await host.files.lock(LOCK))!.release(); // as a killed process leaves it
    await unlessMachineLocked(host, MACHINE, () => Promise.resolve("open"));
    assert.notEqual(await host.files.lstat(LOCK), null);
    const fail = () => Promise.reject(new Error("busy"));
    await assert.rejects(unlessMachineLocked(host, MACHINE, fail), /busy/);
    assert.notEqual(await host.files.lstat(LOCK), null, "a failure is tried again");
    await unlessMachineLocked(host, MACHINE, () => Promise.resolve("settled"));
    assert.equal(await host.files.lstat(LOCK), null);
  }),
);

Deno.test(
  "whileReserving() admits one process at a time, and an interrupt ends the wait",
  onHost(async (host) => {
    await whileReserving(host, async () => {
      const began = host.clock.now();
      const act = () => assert.fail("acted under another process's lock");
      await assert.rejects(whileReserving(host, act, AbortSignal.abort()), /interrupted/);
      assert.equal(host.clock.now(), began);
      await assert.rejects(whileReserving(host, act), {
        kind: "host",
        message: /another process holds it$/,
      });
      assert.ok(host.clock.now() - began >= 60_000, "many prepares may queue");
    });
    assert.equal(await whileReserving(host, () => Promise.resolve(7)), 7, "free again");
  }),
);

Deno.test(
  "whileProbing() does not hold up reservations, and unlessProbing() does not wait",
  onHost(async (host) => {
    let acted = 0;
    const act = () => Promise.resolve(void acted++);
    await whileProbing(host, async () => {
      await whileReserving(host, act);
      await unlessProbing(host, () => assert.fail("a probe is running"));
    });
    await unlessProbing(host, act);
    assert.equal(acted, 2);
  }),
);
