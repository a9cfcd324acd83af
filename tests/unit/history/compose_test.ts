import assert from "node:assert/strict";
import { callsIn, recordOfMachine, withEnd } from "../../../src/history/compose.ts";
import type { Note } from "../../../src/history/notes.ts";
import { BEGAN, exited, HOST, jobLease, PREPARE, stage, usageOf } from "./fixture.ts";

Deno.test("recordOfMachine() has the calls of a job with their times, and what the lease describes", () => {
  const notes: Note[] = [
    ...PREPARE,
    { at: BEGAN + 600, note: "prepared" },
    stage("build_script", 1000, 4000, exited(42)),
  ];
  const services = [{ image: "redis:7", aliases: ["redis"], code: 1, failure: null }];
  const draft = recordOfMachine(jobLease("/store"), { notes, running: null }, {
    cause: { kind: "cleanup" },
    ...{ called: BEGAN + 5000, ended: BEGAN + 5010, services, usage: usageOf() },
    host: HOST,
  });
  assert.deepEqual(draft.calls.at(-1), { call: "cleanup", at: 5000, took: 10 });
  const record = withEnd(draft, BEGAN + 5030, null);
  assert.deepEqual(record.calls, [
    { call: "config", at: 0, took: 40 },
    {
      ...{ call: "prepare", at: 100, took: 500 },
      parts: { image: 40, queue: 15, reserve: 30, start: 405 },
    },
    { call: "build_script", at: 1000, took: 3000, overhead: 10, code: 42 },
    { call: "cleanup", at: 5000, took: 30 },
  ]);
  const { outcome, code, project, tree, generation, limits } = record;
  assert.deepEqual([outcome, code, project, tree], ["failed", 42, "group/project", "bookworm"]);
  assert.deepEqual([generation, limits], [3, { memory_max: "2G" }]);
  assert.equal(record.ended, "2030-01-01T00:00:05.030Z");
  assert.deepEqual(record.services, services);
});

Deno.test("callsIn() counts what still runs until now", () => {
  const running = { stage: "build_script", at: BEGAN + 1000 };
  assert.deepEqual(callsIn({ notes: PREPARE, running }, BEGAN, BEGAN + 3000).at(-1), {
    ...{ call: "build_script", at: 1000, took: 2000 },
  });
});
