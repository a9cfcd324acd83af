import assert from "node:assert/strict";
import type { JobResult, PipelineJob } from "../../../../src/pipeline/model.ts";
import type { PipelineOptions } from "../../../../src/pipeline/session/options.ts";
import { playPipeline } from "../../../../src/pipeline/session/play.ts";
import { recordingHost } from "../../recording_host.ts";
import { job, pipelineOf, result } from "../run/jobs.ts";

const OPTIONS: PipelineOptions = {
  jobs: [],
  file: ".gitlab-ci.yml",
  commit: undefined,
  variables: {},
  masked: [],
  fetch: false,
  limit: 4,
  logs: undefined,
  stream: "stdout",
  keep: false,
};

/** Plays jobs, which end as `results` says. */
async function play(jobs: PipelineJob[], results: Record<string, JobResult>) {
  const { host, out } = recordingHost();
  const interrupts = {
    first: new AbortController(),
    second: new AbortController(),
  };
  const played = await playPipeline(
    host,
    pipelineOf(...jobs),
    OPTIONS,
    { first: interrupts.first.signal, second: interrupts.second.signal },
    async ({ name }, _progress, onOutput, interrupt) => {
      onOutput(new TextEncoder().encode(`${name} runs`));
      await Promise.resolve();
      if (results[name]?.kind === "cancelled") interrupts.first.abort();
      return interrupt.aborted ? result("cancelled") : results[name] ?? result("success");
    },
  );
  const states = Object.fromEntries([...played.progress].map(([name, { state }]) => [name, state]));
  return { ending: played.ending, states, out: out() };
}

Deno.test("the exit code is that of the job that failed first", async () => {
  const jobs = [job("a", "1"), job("b", "1", { allowFailure: true }), job("c", "1")];
  assert.deepEqual((await play(jobs, {})).ending, { kind: "exited", code: 0 });
  const failures = { b: result("script", 5), c: result("script", 7) };
  assert.deepEqual((await play(jobs, failures)).ending, { kind: "exited", code: 7 });
  const host = await play(jobs, { a: result("system"), c: result("script", 7) });
  assert.deepEqual(host.ending, { kind: "lost", reason: "job a failed" });
  assert.equal(
    host.out,
    "a | a runs\na | Job failed: the host failed\nb | b runs\nc | c runs\nc | Job failed: exit code 7\n",
  );
});

Deno.test("an interrupt cancels jobs, but not those that are not interruptible", async () => {
  const jobs = [
    job("a", "1"),
    job("b", "1", { interruptible: false }),
    job("c", "2", { when: "always" }),
  ];
  const { ending, states, out } = await play(jobs, { a: result("cancelled") });
  assert.match(out, /^a \| Job cancelled$/m);
  assert.deepEqual(ending, { kind: "signalled", signal: 2 });
  assert.deepEqual(states, { a: "cancelled", b: "passed", c: "cancelled" });
});

Deno.test("each further attempt of a job begins with its number", async () => {
  const retry = { max: 1, when: ["always"], exitCodes: [] };
  const { out } = await play([job("a", "1", { retry })], { a: result("script", 3) });
  const attempt = ["a runs", "Job failed: exit code 3"];
  const lines = [...attempt, "Attempt 2 of 2", ...attempt];
  assert.equal(out, lines.map((line) => `a | ${line}\n`).join(""));
});
