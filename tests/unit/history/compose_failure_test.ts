import assert from "node:assert/strict";
import { recordOfFailure } from "../../../src/history/compose_failure.ts";
import type { Note } from "../../../src/history/notes.ts";
import { BEGAN, HOST, PREPARE } from "./fixture.ts";

Deno.test("recordOfFailure() has how far the start came", () => {
  const job = {
    ...{ job: "42", machine: "run-42", server: null, project: null, ref: null },
    ...{ isProtected: null, image: "trixie", host: HOST },
  };
  const message = "Cannot start machine run-42: interrupted";
  const failed: Note = { at: BEGAN + 300, note: "failed", outcome: "host", message };
  const record = recordOfFailure(job, [...PREPARE, failed]);
  const { began, created, ended, outcome, reason, calls } = record;
  assert.deepEqual([outcome, reason], ["host", message]);
  assert.equal(began, "2030-01-01T00:00:00.000Z");
  assert.equal(created, "2030-01-01T00:00:00.100Z", "another attempt has another time");
  assert.equal(ended, "2030-01-01T00:00:00.300Z");
  assert.deepEqual(calls.map(({ call, took }) => [call, took]), [["config", 40], ["prepare", 200]]);
  const refused = recordOfFailure(job, [{ at: BEGAN, note: "config", took: null }, failed]);
  assert.deepEqual(refused.calls, [{ call: "config", at: 0, took: 300 }]);
});
