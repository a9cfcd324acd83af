import assert from "node:assert/strict";
import type { Note, RunningStage } from "../../../src/history/notes.ts";
import { type EndCause, resultOf } from "../../../src/history/outcome.ts";
import { BEGAN, exited, stage } from "./fixture.ts";

const JOB = { began: BEGAN, timeout: 3600, byHand: false };
const CLEANUP: EndCause = { kind: "cleanup" };
const OVERDUE: EndCause = { kind: "overdue", reason: "its GitLab Runner has ended" };

const GOOD = stage("build_script", 1, 2, exited(0));
const LAST = stage("cleanup_file_variables", 900, 901, exited(0));
const RUNNING: RunningStage = { stage: "build_script", at: BEGAN + 1 };

function outcomeOf(
  notes: readonly Note[],
  cause: EndCause = CLEANUP,
  { job = JOB, running = null as RunningStage | null } = {},
) {
  const { outcome, code, reason } = resultOf(job, { notes, running }, cause);
  return [outcome, code, reason];
}

Deno.test("resultOf() is a success where no stage failed that can fail a job", () => {
  assert.deepEqual(outcomeOf([GOOD, LAST]), ["success", null, null]);
  const after = stage("after_script", 3, 4, exited(1));
  const archive = stage("archive_cache_on_failure", 5, 6, exited(1));
  assert.deepEqual(outcomeOf([GOOD, after, archive, LAST]), ["success", null, null]);
  const attempts = [1, 0].map((code) => stage("get_sources", 0, 1, exited(code)));
  assert.deepEqual(outcomeOf([...attempts, GOOD, LAST]), ["success", null, null]);
});

Deno.test("resultOf() has the code of the first script that failed, and what explains it", () => {
  const lines = ["Out of memory: 1 process killed at 300 MiB"];
  const failed = stage("build_script", 1, 2, exited(42), { lines });
  const after = stage("after_script", 3, 4, exited(7));
  assert.deepEqual(resultOf(JOB, { notes: [failed, after, LAST], running: null }, CLEANUP), {
    ...{ outcome: "failed", code: 42, reason: null },
    lines,
  });
  const upload = stage("upload_artifacts_on_success", 3, 4, exited(3));
  assert.deepEqual(outcomeOf([GOOD, upload]), ["failed", 3, null]);
  const killed = stage("build_script", 1, 2, { kind: "out-of-memory", limit: "300 MiB" });
  assert.deepEqual(outcomeOf([killed]), ["out-of-memory", 137, null]);
});

Deno.test("resultOf() tells a time-out from a cancel by the time that went by", () => {
  const cancelled = (end: number) =>
    stage("build_script", 1, end, { kind: "signalled", signal: 15 }, { isCancelled: true });
  assert.deepEqual(outcomeOf([cancelled(60_000)]), ["cancelled", 143, null]);
  assert.deepEqual(outcomeOf([cancelled(3_600_000)]), ["timeout", 143, null]);
  assert.equal(outcomeOf([], CLEANUP, { running: RUNNING })[0], "cancelled", "it was killed");
  assert.equal(outcomeOf([])[0], "cancelled", "no stage ran");
  assert.equal(outcomeOf([], CLEANUP, { job: { ...JOB, byHand: true } })[0], "success");
});

Deno.test("resultOf() tells what the host is responsible for", () => {
  const lost = stage("build_script", 1, 2, { kind: "lost", reason: "the machine ended" });
  assert.deepEqual(outcomeOf([lost]), ["lost", null, "the machine ended"]);
  const lines = ["Cannot run a script: it has ended"];
  const failed = stage("build_script", 1, 2, null, { lines });
  const result = ["lost", null, lines[0]];
  assert.deepEqual(outcomeOf([failed], CLEANUP, { running: RUNNING }), result, "its lock stays");
  assert.deepEqual(outcomeOf([GOOD], OVERDUE), ["abandoned", null, OVERDUE.reason]);
  assert.equal(outcomeOf([], OVERDUE, { running: RUNNING })[0], "abandoned");
  assert.equal(outcomeOf([GOOD, LAST], OVERDUE)[0], "success", "only its cleanup was killed");
  const start: Note = { at: BEGAN, note: "failed", outcome: "host", message: "Cannot start" };
  assert.deepEqual(outcomeOf([start]), ["host", null, "Cannot start"]);
  const notes = [{ ...start, hint: "Free disk space" }];
  assert.deepEqual(resultOf(JOB, { notes, running: null }, CLEANUP).lines, ["Free disk space"]);
});
