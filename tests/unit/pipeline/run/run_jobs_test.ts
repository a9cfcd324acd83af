import assert from "node:assert/strict";
import type { JobResult, Pipeline, PipelineJob } from "../../../../src/pipeline/model.ts";
import { runJobs, type RunOptions } from "../../../../src/pipeline/run/run_jobs.ts";
import { job, need, pipelineOf, result } from "./jobs.ts";

/** Runs a pipeline; `outcomes` has how the attempts of a job end, where one does not succeed. */
async function outcomeOf(
  pipeline: Pipeline,
  outcomes: Record<string, JobResult[]> = {},
  options: Partial<RunOptions> = {},
) {
  const log: string[] = [];
  const left = structuredClone(outcomes);
  const progress = await runJobs(pipeline, {
    limit: 4,
    startsManual: false,
    stop: new AbortController().signal,
    async runJob({ name }) {
      log.push(name);
      await Promise.resolve();
      return left[name]?.shift() ?? result("success");
    },
    delay: (seconds) => {
      log.push(`${seconds} s`);
      return Promise.resolve();
    },
    onChange: () => {},
    ...options,
  });
  const states = Object.fromEntries([...progress].map(([name, { state }]) => [name, state]));
  return { log, states, progress };
}

Deno.test("stages run one after the other, and a failure skips those that follow", async () => {
  const pipeline = pipelineOf(
    job("deploy", "3"),
    job("a", "1"),
    job("b", "1"),
    job("c", "2"),
  );
  const sorted = { ...pipeline, stages: ["1", "2", "3"] };
  assert.deepEqual((await outcomeOf(sorted)).log, ["a", "b", "c", "deploy"]);
  const failed = await outcomeOf(sorted, { b: [result("script")] });
  assert.deepEqual(failed.log, ["a", "b"]);
  assert.deepEqual(failed.states, { deploy: "skipped", a: "passed", b: "failed", c: "skipped" });
});

Deno.test("a failure that is allowed goes on, by exit codes too", async () => {
  const pipeline = pipelineOf(
    job("any", "1", { allowFailure: true }),
    job("three", "1", { allowFailure: [3, 4] }),
    job("next", "2"),
  );
  const failures = { any: [result("system")], three: [result("script", 3)] };
  const { states } = await outcomeOf(pipeline, failures);
  assert.deepEqual(states, { any: "warned", three: "warned", next: "passed" });
  const other = await outcomeOf(pipeline, { three: [result("script", 5)] });
  assert.deepEqual(other.states, { any: "passed", three: "failed", next: "skipped" });
  const lost = pipelineOf(job("one", "1", { allowFailure: [1] }));
  assert.deepEqual((await outcomeOf(lost, { one: [result("timeout")] })).states, { one: "failed" });
});

Deno.test("on_failure, always and on_success run by how the stages before ended", async () => {
  const pipeline = pipelineOf(
    job("build", "1"),
    job("test", "2"),
    job("report", "3", { when: "on_failure" }),
    job("clean", "3", { when: "always" }),
    job("ship", "3"),
  );
  const good = await outcomeOf(pipeline);
  assert.deepEqual(good.log, ["build", "test", "clean", "ship"]);
  assert.equal(good.states["report"], "skipped");
  const bad = await outcomeOf(pipeline, { build: [result("script")] });
  assert.deepEqual(bad.log, ["build", "report", "clean"]);
});

Deno.test("a job with needs waits for these alone", async () => {
  const slow = Promise.withResolvers<void>();
  const log: string[] = [];
  const pipeline = pipelineOf(
    job("slow", "1"),
    job("quick", "1"),
    job("after quick", "2", { needs: [need("quick")] }),
    job("alone", "2", { needs: [] }),
    job("after slow", "2", { needs: [need("slow"), need("absent", { optional: true })] }),
  );
  const { states } = await outcomeOf(pipeline, {}, {
    async runJob({ name }) {
      log.push(name);
      if (name === "slow") await slow.promise;
      if (name === "after quick") slow.resolve();
      return result("success");
    },
  });
  assert.deepEqual(log, ["slow", "quick", "alone", "after quick", "after slow"]);
  assert.deepEqual(new Set(Object.values(states)), new Set(["passed"]));
});

Deno.test("a job whose need failed or was skipped is skipped", async () => {
  const pipeline = pipelineOf(
    job("a", "1"),
    job("b", "2", { needs: [need("a")] }),
    job("c", "3", { needs: [need("b")] }),
    job("d", "3", { needs: [need("b")], when: "on_failure" }),
    job("e", "3", { needs: [need("a")], when: "on_failure" }),
    job("f", "3", { needs: [need("b")], when: "always" }),
  );
  const { log } = await outcomeOf(pipeline, { a: [result("script")] });
  assert.deepEqual(log, ["a", "e", "f"]);
});

Deno.test("a manual job holds up those that need it, and later stages unless it may fail", async () => {
  const pipelineWith = (allowFailure: boolean) =>
    pipelineOf(
      job("gate", "1", { when: "manual", allowFailure }),
      job("next", "2"),
      job("needs it", "2", { needs: [need("gate")] }),
      job("last", "3"),
    );
  const blocking = await outcomeOf(pipelineWith(false));
  assert.deepEqual(blocking.log, []);
  assert.deepEqual(blocking.states, {
    gate: "manual",
    next: "blocked",
    "needs it": "blocked",
    last: "blocked",
  });
  const optional = await outcomeOf(pipelineWith(true));
  assert.deepEqual(optional.log, ["next"]);
  assert.equal(optional.states["needs it"], "blocked");
  const chosen = await outcomeOf(pipelineWith(false), {}, { startsManual: true });
  assert.deepEqual(chosen.log, ["gate", "next", "needs it", "last"]);
});

Deno.test("a delayed job waits its time, and takes no place meanwhile", async () => {
  const pipeline = pipelineOf(
    job("later", "1", { when: "delayed", startIn: 30 }),
    job("now", "1"),
  );
  const due = Promise.withResolvers<void>();
  const log: string[] = [];
  await outcomeOf(pipeline, {}, {
    limit: 1,
    delay: () => due.promise,
    runJob({ name }) {
      log.push(name);
      if (name === "now") due.resolve();
      return Promise.resolve(result("success"));
    },
  });
  assert.deepEqual(log, ["now", "later"]);
  assert.deepEqual((await outcomeOf(pipeline)).log, ["30 s", "now", "later"]);
  assert.deepEqual((await outcomeOf(pipeline, {}, { startsManual: true })).log, ["later", "now"]);
});

Deno.test("no more jobs run at once than allowed, and one of a resource group", async () => {
  const pipeline = pipelineOf(
    ...["a", "b", "c", "d"].map((name) => job(name, "1")),
    job("e", "1", { resourceGroup: "production" }),
    job("f", "1", { resourceGroup: "production" }),
  );
  let running = 0;
  const together = new Set<number>();
  const groups = new Set<number>();
  let inGroup = 0;
  await outcomeOf(pipeline, {}, {
    limit: 3,
    async runJob({ resourceGroup }: PipelineJob) {
      together.add(++running);
      if (resourceGroup !== null) groups.add(++inGroup);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      running--;
      if (resourceGroup !== null) inGroup--;
      return result("success");
    },
  });
  assert.equal(Math.max(...together), 3);
  assert.deepEqual([...groups], [1]);
});

Deno.test("retry repeats a job for its reasons, at most so often", async () => {
  const retrying = (max: number, when: string[], exitCodes: number[] = []) =>
    pipelineOf(job("a", "1", { retry: { max, when, exitCodes } }));
  const script = result("script", 7);
  const three = { a: [script, script, script] };
  assert.equal((await outcomeOf(retrying(2, ["always"]), three)).log.length, 3);
  const passed = await outcomeOf(retrying(2, ["script_failure"]), { a: [script] });
  assert.deepEqual(passed.states, { a: "passed" });
  assert.deepEqual(passed.progress.get("a")!.results, [script, result("success")]);
  assert.equal((await outcomeOf(retrying(2, ["runner_system_failure"]), three)).log.length, 1);
  assert.equal((await outcomeOf(retrying(1, [], [7]), three)).log.length, 2);
  assert.equal((await outcomeOf(retrying(1, [], [8]), three)).log.length, 1);
  const timeouts = { a: [result("timeout"), result("system")] };
  assert.equal((await outcomeOf(retrying(2, ["job_execution_timeout"]), timeouts)).log.length, 2);
});

Deno.test("after a stop no job starts, and those that were cancelled end the pipeline", async () => {
  const stop = new AbortController();
  const pipeline = pipelineOf(
    job("a", "1", { retry: { max: 2, when: ["always"], exitCodes: [] } }),
    job("b", "2", { when: "always" }),
  );
  const started: string[] = [];
  const { states } = await outcomeOf(pipeline, {}, {
    stop: stop.signal,
    runJob({ name }) {
      started.push(name);
      stop.abort();
      return Promise.resolve(result("cancelled"));
    },
  });
  assert.deepEqual(states, { a: "cancelled", b: "cancelled" });
  assert.deepEqual(started, ["a"]);
});
