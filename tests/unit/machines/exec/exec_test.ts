import assert from "node:assert/strict";
import type { Child, Ended } from "../../../../src/host/host.ts";
import { reportedEnding, waitForClient } from "../../../../src/machines/exec/exec.ts";
import { nsenter } from "../../../../src/machines/exec/nsenter.ts";
import { transientUnit } from "../../../../src/machines/exec/transient_unit.ts";
import { recordingHost } from "../../recording_host.ts";
import { ALIVE_STAT, NONCE, reportOf, runScene } from "./stage_scene.ts";

/** A client that ends when the test calls end(). */
function startClient(): Child & { end(code: number): void } {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  return {
    pid: 1,
    ended: promise,
    kill() {},
    unref() {},
    end: (code) => resolve({ code, signal: null }),
  };
}

Deno.test("waitForClient() stops nothing where nobody cancels", async () => {
  const client = startClient();
  const ended = waitForClient(recordingHost().host, client, new AbortController().signal, () => {
    throw new Error("stopped");
  });
  client.end(3);
  assert.equal((await ended).code, 3);
});

for (const when of ["before", "after"]) {
  Deno.test(`waitForClient() of a stage cancelled ${when} it begins stops it until the client ends`, async () => {
    const { host } = recordingHost();
    const client = startClient();
    const cancel = new AbortController();
    if (when === "before") cancel.abort();
    let attempts = 0;
    const ended = waitForClient(host, client, cancel.signal, () => {
      // The first two attempts find no stage yet.
      if (++attempts === 3) client.end(143);
      return Promise.resolve();
    });
    cancel.abort();
    assert.equal((await ended).code, 143);
    assert.equal(attempts, 3);
    await Promise.resolve();
    assert.equal(attempts, 3, "no attempt after the end");
  });
}

Deno.test("waitForClient() logs a failed attempt to stop a stage as a warning, and tries again", async () => {
  const { host, err } = recordingHost();
  const client = startClient();
  let attempts = 0;
  await waitForClient(host, client, AbortSignal.abort(), () => {
    if (++attempts === 1) return Promise.reject(new Error("no cgroup"));
    client.end(0);
    return Promise.resolve();
  });
  assert.equal(err(), "no cgroup\n");
});

Deno.test("waitForClient() does not listen for cancellation after the client has ended", async () => {
  const client = startClient();
  const cancel = new AbortController();
  let attempts = 0;
  const ended = waitForClient(recordingHost().host, client, cancel.signal, () => {
    attempts++;
    return Promise.resolve();
  });
  let listeners = 1;
  const { removeEventListener } = cancel.signal;
  cancel.signal.removeEventListener = (...words: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(cancel.signal, words);
  };
  client.end(0);
  await ended;
  cancel.abort();
  await Promise.resolve();
  assert.deepEqual([attempts, listeners], [0, 0]);
});

Deno.test("reportedEnding() counts only lines with the stage's nonce, and takes the code from a whole line", async () => {
  const endingOf = (report: string) =>
    reportedEnding({ nonce: "abc", argv: [], report: () => Promise.resolve(report) });
  assert.equal(await endingOf(""), undefined);
  assert.equal(await endingOf("xyz started\nxyz 0\n"), undefined);
  assert.deepEqual(await endingOf("abc started\n"), { kind: "signalled", signal: 9 });
  assert.deepEqual(await endingOf("xyz 0\nabc started\nabc 4\n"), { kind: "exited", code: 4 });
  assert.deepEqual(await endingOf("abc started\nabc 4x\nabc 12345\n"), {
    kind: "signalled",
    signal: 9,
  });
});

/** {@linkcode ALIVE_STAT} of a process with the flag PF_EXITING. */
const EXITING_STAT = ALIVE_STAT.replace("S 0 0 0 0 0 0", "S 0 0 0 0 0 4");

for (const [name, exec] of [["transientUnit", transientUnit], ["nsenter", nsenter]] as const) {
  Deno.test(`${name}.run() tells a machine that ended from a script that failed`, async () => {
    for (const report of [reportOf(0), reportOf(143), `${NONCE} started\n`, ""]) {
      const { ending } = await runScene({ exec, report, isKnown: false });
      assert.equal(ending.kind, "lost", JSON.stringify(report));
    }
  });

  Deno.test(`${name}.run() sees that PID 1 is exiting before the machine's record is gone`, async () => {
    const { ending } = await runScene({ exec, report: reportOf(137), stat: EXITING_STAT });
    assert.equal(ending.kind, "lost");
  });

  Deno.test(`${name}.run() of a stage that never began is a failure of the host`, async () => {
    const scene = { exec, report: "other 0\n", clientCode: 1 };
    await assert.rejects(runScene(scene), { name: "Failure", kind: "host" });
  });

  Deno.test(`${name}.run() of a stage that was cancelled before it began is no failure of the host`, async () => {
    const { ending } = await runScene({ exec, report: "", clientCode: 1, isCancelled: true });
    assert.deepEqual(ending, { kind: "signalled", signal: 15 });
  });

  Deno.test(`${name}.run() of a cancelled stage goes by its report, where there is one`, async () => {
    const { ending } = await runScene({ exec, report: reportOf(1), isCancelled: true });
    assert.deepEqual(ending, { kind: "exited", code: 1 });
  });
}
