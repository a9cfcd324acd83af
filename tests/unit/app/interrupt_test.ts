import assert from "node:assert/strict";
import { interruptible } from "../../../src/app/interrupt.ts";
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
