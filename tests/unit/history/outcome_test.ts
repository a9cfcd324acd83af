import assert from "node:assert/strict";
import type { Note } from "../../../src/history/notes.ts";
import { type EndCause, resultOf } from "../../../src/history/outcome.ts";
import { BEGAN, exited, stage } from "./fixture.ts";

const JOB = { began: BEGAN, timeout: 3600, byHand: false };
const CLEANUP: EndCause = { kind: "cleanup" };
const OVERDUE: EndCause = { kind: "overdue", reason: "its GitLab Runner has ended" };
const LAST = stage("cleanup_file_variables", 900, exited(901, 0));

function outcomeOf(notes: readonly Note[], cause: EndCause = CLEANUP, job = JOB) {
  const { outcome, code, reason } = resultOf(job, notes, cause);
  return [outcome, code, reason];
}

Deno.test("resultOf() is a success where no stage failed that can fail a job", () => {
  const good = stage("build_script", 1, exited(2, 0));
  assert.deepEqual(outcomeOf([...good, ...LAST]), ["success", null, null]);
  const after = stage("after_script", 3, exited(4, 1));
  const archive = stage("archive_cache_on_failure", 5, exited(6, 1));
  assert.deepEqual(outcomeOf([...good, ...after, ...archive, ...LAST]), ["success", null, null]);
  const retried = [
    ...stage("get_sources", 0, exited(1, 1)),
    ...stage("get_sources", 1, exited(2, 0)),
  ];
  assert.deepEqual(outcomeOf([...retried, ...good, ...LAST]), ["success", null, null]);
});

Deno.test("resultOf() has the code of the first script that failed, and what explains it", () => {
  const lines = ["Out of memory: 1 process killed at 300 MiB"];
  const failed = stage("build_script", 1, exited(2, 42, { lines }));
  const after = stage("after_script", 3, exited(4, 7));
  assert.deepEqual(resultOf(JOB, [...failed, ...after, ...LAST], CLEANUP), {
    ...{ outcome: "failed", code: 42, reason: null },
    lines,
  });
  const upload = stage("upload_artifacts_on_success", 3, exited(4, 3));
  assert.deepEqual(outcomeOf([...stage("build_script", 1, exited(2, 0)), ...upload]), [
    "failed",
    3,
    null,
  ]);
  const killed = { at: 2, ending: { kind: "out-of-memory", limit: "300 MiB" } } as const;
  assert.deepEqual(outcomeOf(stage("build_script", 1, killed)), ["out-of-memory", 137, null]);
});

Deno.test("resultOf() tells a time-out from a cancel by the time that went by", () => {
  const ending = { kind: "signalled", signal: 15 } as const;
  const cancelled = (at: number) => stage("build_script", 1, { at, ending, isCancelled: true });
  assert.deepEqual(outcomeOf(cancelled(60_000)), ["cancelled", 143, null]);
  assert.deepEqual(outcomeOf(cancelled(3_600_000)), ["timeout", 143, null]);
  assert.equal(outcomeOf(stage("build_script", 1))[0], "cancelled", "its call was killed");
  assert.equal(outcomeOf([])[0], "cancelled", "no stage ran");
  assert.equal(outcomeOf([], CLEANUP, { ...JOB, byHand: true })[0], "success");
});

Deno.test("resultOf() tells what the host is responsible for", () => {
  const lost = { at: 2, ending: { kind: "lost", reason: "the machine ended" } } as const;
  assert.deepEqual(outcomeOf(stage("build_script", 1, lost)), ["lost", null, "the machine ended"]);
  const failed = { at: 2, ending: null, lines: ["Cannot run a script: it has ended"] };
  assert.deepEqual(outcomeOf(stage("build_script", 1, failed)), [
    "lost",
    null,
    "Cannot run a script: it has ended",
  ]);
  const good = stage("build_script", 1, exited(2, 0));
  assert.deepEqual(outcomeOf(good, OVERDUE), ["abandoned", null, OVERDUE.reason]);
  assert.deepEqual(outcomeOf(stage("build_script", 1), OVERDUE)[0], "abandoned");
  assert.equal(outcomeOf([...good, ...LAST], OVERDUE)[0], "success", "only its cleanup was killed");
  const start: Note = { at: BEGAN, note: "failed", outcome: "host", message: "Cannot start" };
  assert.deepEqual(outcomeOf([start]), ["host", null, "Cannot start"]);
});
