import assert from "node:assert/strict";
import { runInForeground } from "../../../src/linux/foreground.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("runInForeground() passes on stdin and the environment, and returns the exit code", async () => {
  const { host, processes, handlers } = recordingHost({ answer: () => ({ code: 7 }) });
  assert.equal(await runInForeground(host, ["bash", "-l"], { TERM: "dumb" }, true), 7);
  const [{ argv, options }] = processes as [(typeof processes)[0]];
  assert.deepEqual([argv, options], [["bash", "-l"], { env: { TERM: "dumb" }, stdin: "inherit" }]);
  assert.equal(handlers(), 0);
});

Deno.test("runInForeground() forwards SIGTERM and SIGHUP, and survives SIGINT", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const recording = recordingHost({ answer: () => promise });
  const running = runInForeground(recording.host, ["bash"], {}, true);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) recording.send(signal);
  assert.deepEqual(recording.killed.map(({ signal }) => signal), ["SIGTERM", "SIGHUP"]);
  assert.equal(recording.handlers(), 2);
  resolve();
  await running;
  assert.equal(recording.handlers(), 0);
});

Deno.test("runInForeground() lets nothing type into this terminal where it gives no other one", async () => {
  const { host, processes } = recordingHost();
  await runInForeground(host, ["sh"], {}, false);
  const { env: _, ...options } = processes[0]!.options;
  assert.deepEqual(options, { stdin: "inherit", detached: true, relay: true });
});
