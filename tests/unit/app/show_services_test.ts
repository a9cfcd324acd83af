/** The output of services in the log of a job. */

import assert from "node:assert/strict";
import { whileShowingServices } from "../../../src/app/show_services.ts";
import type { Host } from "../../../src/host/host.ts";
import type { Lease } from "../../../src/machines/record/lease.ts";
import { machinePaths } from "../../../src/machines/record/paths.ts";
import { leaseOf, serviceLeaseOf } from "../machines/fixture.ts";
import { withOwnRun } from "../machines/standalone_host.ts";
import {
  inFolder,
  type Recording,
  recordingHost,
  type RecordingOptions,
} from "../recording_host.ts";

/** A job with services that have written something. */
interface Scene {
  readonly host: Host;
  readonly job: Lease;
  /** Replaces what the service of a number has written. */
  readonly write: (number: number, text: string) => Promise<void>;
  readonly out: () => string;
}

/** A host whose timers end at once. */
function timedHost(options: RecordingOptions = {}): Recording {
  const recording = recordingHost(options);
  const after = (_ms: number, call: () => void) => {
    const timer = setTimeout(call);
    return () => clearTimeout(timer);
  };
  return {
    ...recording,
    host: { ...recording.host, clock: { ...recording.host.clock, after } },
  };
}

function withServices(
  all: readonly (readonly string[])[],
  options: RecordingOptions,
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const recording = timedHost(options);
    const host = withOwnRun(recording.host, folder);
    const leases = all.map((aliases, index) => serviceLeaseOf(folder, "1", aliases, {}, index + 1));
    for (const { machine } of leases) {
      const paths = machinePaths(folder, machine);
      await host.files.makeDirectory(paths.own);
      await host.files.makeDirectory(paths.stage);
    }
    const services = leases.map(({ machine }, index) => ({ machine, aliases: all[index]! }));
    await act({
      host,
      job: leaseOf(folder, "1", { services }),
      write: (number, text) =>
        host.files.write(`${machinePaths(folder, leases[number - 1]!.machine).own}/log.0`, text),
      out: recording.out,
    });
  });
}

Deno.test("whileShowingServices() shows each line once, with the names of its service", () =>
  withServices([["postgres", "db"], ["redis"]], {}, async ({ host, job, write, out }) => {
    await write(1, "0\nstarting\nhalf");
    await write(2, "0\nready\n");
    const showing = () => whileShowingServices(host, job, false, () => Promise.resolve(7));
    assert.equal(await showing(), 7);
    assert.equal(out(), "[service:postgres-db] starting\n[service:redis] ready\n");
    await showing();
    await write(1, "0\nstarting\nhalf a line\nrest");
    await write(2, "500\nlater\n");
    await whileShowingServices(host, job, true, () => Promise.resolve());
    assert.deepEqual(out().split("\n").slice(2), [
      "[service:postgres-db] half a line",
      "[service:postgres-db] rest",
      "[service:redis] … some output was dropped",
      "[service:redis] later",
      "",
    ]);
  }));

Deno.test("whileShowingServices() waits for the end of a line of the script", () =>
  withServices([["db"]], {}, async ({ host, job, write, out }) => {
    await whileShowingServices(host, job, false, async () => {
      host.terminal.out("tests: ");
      await write(1, "0\none\n");
      for (let step = 0; step < 10; step++) await host.clock.sleep(500);
      host.terminal.out("12 passed\n");
      for (let step = 0; step < 10; step++) await host.clock.sleep(500);
      host.terminal.out("progress");
      await write(1, "0\none\ntwo\n");
    });
    assert.equal(out(), "tests: 12 passed\n[service:db] one\nprogress\n[service:db] two\n");
  }));

Deno.test("whileShowingServices() is grey on a terminal with colours alone", async () => {
  const cases = [
    [{ terminals: ["stdout"] }, "\x1b[90m[service:db] one\x1b[0m\n"],
    [{ terminals: ["stdout"], env: { NO_COLOR: "1" } }, "[service:db] one\n"],
    [{ terminals: ["stderr"] }, "[service:db] one\n"],
  ] as const;
  for (const [options, expected] of cases) {
    await withServices([["db"]], options, async ({ host, job, write, out }) => {
      await write(1, "0\none\n");
      await whileShowingServices(host, job, false, () => Promise.resolve());
      assert.equal(out(), expected);
    });
  }
});

Deno.test("whileShowingServices() that cannot show output fails nothing, and tells why", () =>
  inFolder(async (folder) => {
    const { host, err } = timedHost();
    const { machine } = serviceLeaseOf(folder, "1", ["db"]);
    const job = leaseOf(folder, "1", { services: [{ machine, aliases: ["db"] }] });
    const files = { ...host.files, readStart: () => Promise.reject(new Error("no such disk")) };
    const act = async () => {
      for (let step = 0; step < 3; step++) await host.clock.sleep(500);
      return 1;
    };
    assert.equal(await whileShowingServices({ ...host, files }, job, true, act), 1);
    assert.match(err(), /^nspawn-runner: cannot show the output of services: no such disk\n$/);
  }));
