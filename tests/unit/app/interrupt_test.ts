import assert from "node:assert/strict";
import { interruptible, interruptibleTwice } from "../../../src/app/interrupt.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("interruptible() aborts on each signal that ends programs, and forgets them afterwards", async () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    const { host, send, handlers } = recordingHost();
    const aborted = await interruptible(host, (interrupt) => {
      send(signal);
      return Promise.resolve(interrupt.aborted);
    });
    assert.ok(aborted);
    assert.equal(handlers(), 0);
  }
});

Deno.test("interruptibleTwice() needs two times Ctrl-C, or one of the other signals, to interrupt wholly", async () => {
  for (
    const [signals, expected] of [
      [["SIGINT"], [true, false]],
      [["SIGINT", "SIGINT"], [true, true]],
      [["SIGTERM"], [true, true]],
      [["SIGHUP"], [true, true]],
    ] as const
  ) {
    const { host, send } = recordingHost();
    await interruptibleTwice(host, (first, second) => {
      for (const signal of signals) send(signal);
      assert.deepEqual([first.aborted, second.aborted], expected, signals.join());
      return Promise.resolve();
    });
  }
});
