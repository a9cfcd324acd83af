import assert from "node:assert/strict";
import type { Child, Ended } from "../../../../src/host/host.ts";
import {
  waitForClient,
  type Exec,
  type RunningMachine,
  type StageRun,
} from "../../../../src/machines/exec/exec.ts";
import { nsenter } from "../../../../src/machines/exec/nsenter.ts";
import { transientUnit } from "../../../../src/machines/exec/unit.ts";
import { type Answer, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";
import { statOf } from "../supervisor/standalone_host.ts";

/** A client that ends when the test says so. */
function client(): Child & { end(code: number): void } {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  return {
    pid: 1,
    ended: promise,
    kill() {},
    unref() {},
    end: (code) => resolve({ code, signal: null }),
  };
}

Deno.test("endOf() of a stage that nobody cancels ends nothing", async () => {
  const child = client();
  const ended = waitForClient(recordingHost().host, child, new AbortController().signal, () => {
    throw new Error("ended");
  });
  child.end(3);
  assert.equal((await ended).code, 3);
});

for (const when of ["before", "after"]) {
  Deno.test(`endOf() of a stage that is cancelled ${when} it begins tries until it has ended`, async () => {
    const { host } = recordingHost();
    const child = client();
    const cancel = new AbortController();
    if (when === "before") cancel.abort();
    let tries = 0;
    const ended = waitForClient(host, child, cancel.signal, () => {
      // The first two find nothing yet: the stage has not come so far.
      if (++tries === 3) child.end(143);
      return Promise.resolve();
    });
    cancel.abort();
    assert.equal((await ended).code, 143);
    assert.equal(tries, 3);
    await Promise.resolve();
    assert.equal(tries, 3, "and no more afterwards");
  });
}

Deno.test("endOf() takes a failure to end a stage for a warning, and tries again", async () => {
  const { host, err } = recordingHost();
  const child = client();
  let tries = 0;
  const ended = waitForClient(host, child, AbortSignal.abort(), () => {
    if (++tries === 1) return Promise.reject(new Error("no cgroup"));
    child.end(0);
    return Promise.resolve();
  });
  await ended;
  assert.equal(err(), "no cgroup\n");
});

Deno.test("endOf() listens no longer than its client lives", async () => {
  const child = client();
  const cancel = new AbortController();
  let tries = 0;
  const ended = waitForClient(recordingHost().host, child, cancel.signal, () => {
    tries++;
    return Promise.resolve();
  });
  let listening = 1;
  const { removeEventListener } = cancel.signal;
  cancel.signal.removeEventListener = (...words: Parameters<typeof removeEventListener>) => {
    listening--;
    removeEventListener.apply(cancel.signal, words);
  };
  child.end(0);
  await ended;
  cancel.abort();
  await Promise.resolve();
  assert.deepEqual([tries, listening], [0, 0]);
});

const LEADER = {
  pid: 77,
  start: 5,
  cgroup: "/cg",
  dropped: [12],
  noNewPrivileges: false,
  filtered: true,
};

async function cancelBeforeItBegins(entry: Exec, report: string) {
  const recording = recordingHost({
    answer(argv): Answer {
      if (argv[0] === "cat") return { stdout: statOf(77, 5) };
      if (argv.includes("is-system-running")) return { stdout: "running\n" };
      return { code: argv.includes("reporter") ? 1 : 0 };
    },
  });
  const running: RunningMachine = {
    lease: leaseOf("/store", "42", { leader: LEADER }),
    leader: LEADER,
    isAlive: () => Promise.resolve(true),
  };
  const stage: StageRun = {
    nonce: "abc",
    argv: ["/bin/sh", "reporter"],
    report: () => Promise.resolve(report),
  };
  return await entry.run(recording.host, running, stage, AbortSignal.abort());
}

for (const [name, entry] of [["unit", transientUnit], ["nsenter", nsenter]] as const) {
  Deno.test(`${name}.exec() of a stage that was cancelled before it began is no failure of the host`, async () => {
    assert.deepEqual(await cancelBeforeItBegins(entry, ""), { kind: "signalled", signal: 15 });
  });

  Deno.test(`${name}.exec() of a cancelled stage still believes what it reported`, async () => {
    const ending = await cancelBeforeItBegins(entry, "abc started\nabc 1\n");
    assert.deepEqual(ending, { kind: "exited", code: 1 });
  });
}
