import assert from "node:assert/strict";
import { readAnswer } from "../../../../src/pipeline/read/answer.ts";

const job = (more: object = {}, data: object = {}) => ({
  ...{
    name: "a",
    key: "a",
    when: "on_success",
    allowFailure: false,
    data: { script: "m", ...data },
  },
  ...{ globals: {}, matrix: null },
  ...more,
});

const read = (answer: unknown) => readAnswer("ci.yml", JSON.stringify(answer));

const readJob = (value: unknown) =>
  read({ kind: "pipeline", runs: true, stages: ["test"], jobs: [value], warnings: [] }).jobs[0]!;

Deno.test("readAnswer() reads a job", () => {
  assert.deepEqual(readJob(job()).script, ["m"]);
});

Deno.test("readAnswer() refuses each value of a wrong type, and names its job and keyword", () => {
  const wrong: readonly [object, RegExp][] = [
    [job({ when: "sometimes" }), /: job "a": when must be one of: on_success, /],
    [
      job({ allowFailure: 3 }, { allow_failure: 3 }),
      /: job "a": allow_failure must be true or false$/,
    ],
    [job({ globals: [] }), /: job "a": variables must be a mapping$/],
    [job({ globals: { A: {} } }), /: job "a": variables:A must be a text$/],
    [
      job({ globals: { "A B": "" } }),
      /: job "a": variables must be variables, and "A B" is no name/,
    ],
    [job({}, { script: [{}] }), /: job "a": script must be a text$/],
    [job({}, { script: "a\0b" }), /: job "a": script must be a text without the character NUL$/],
    [job({}, { image: {} }), /: job "a": image:name must be a text$/],
    [job({}, { image: { name: "a", docker: 1 } }), /: job "a": image:docker must be a mapping$/],
    [job({}, { services: [[]] }), /: job "a": services must be a text$/],
    [job({}, { cache: [{ policy: "p" }] }), /: job "a": cache:policy must be one of: pull, push, /],
    [job({}, { cache: [{ untracked: 1 }] }), /: job "a": cache:untracked must be true or false$/],
    [job({}, { artifacts: { when: "x" } }), /: job "a": artifacts:when must be one of: /],
    [job({}, { artifacts: { reports: [] } }), /: job "a": artifacts:reports must be a mapping$/],
    [job({}, { retry: -1 }), /: job "a": retry must be a number$/],
    [job({}, { retry: { max: 1.5 } }), /: job "a": retry:max must be a number$/],
    [job({}, { timeout: "soon" }), /: job "a": timeout must be a span of time/],
    [job({}, { needs: [{}] }), /: job "a": needs:job must be a text$/],
    [job({}, { environment: { name: {} } }), /: job "a": environment:name must be a text$/],
    [{ name: "a\nb" }, /: a job: name must be a text without control characters$/],
    [{ name: "a\x9b2J" }, /: a job: name must be a text without control characters$/],
    [{ name: {} }, /: a job: name must be a text$/],
    [[], /: a job: must be a mapping$/],
  ];
  for (const [value, message] of wrong) {
    assert.throws(() => readJob(value), (error: Error) => {
      assert.match(error.message, /^Cannot read the pipeline: /);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("readAnswer() is not fooled by names of JavaScript's own", () => {
  const text = JSON.stringify(job({}, {})).replace('"globals":{}', '"globals":{"__proto__":"x"}');
  const { variables, timeout } = readJob(JSON.parse(text));
  assert.deepEqual(Object.entries(variables), [["__proto__", "x"]]);
  assert.equal(timeout, 3600);
});

Deno.test("readAnswer() refuses two jobs with one name", () => {
  assert.throws(
    () => read({ kind: "pipeline", stages: [], jobs: [job(), job()], warnings: [] }),
    /^Failure: Cannot read the pipeline: two jobs have the name "a"$/,
  );
});

Deno.test("readAnswer() refuses a flood of jobs, and is quick with many", () => {
  const many = (count: number) =>
    Array.from(
      { length: count },
      (_, at) =>
        job({ name: `a ${at}` }, { needs: at < 3 ? [] : ["a 1", { job: "a 2" }], parallel: count }),
    );
  const pipeline = (count: number) => ({ kind: "pipeline", stages: [], jobs: many(count) });
  assert.equal(read(pipeline(9000)).jobs.at(-1)!.node!.index, 9000);
  assert.throws(() => read(pipeline(10_001)), /more than 10000 jobs$/);
});

Deno.test("readAnswer() fails on the host without an answer", () => {
  for (const text of ["", "deno: not found\n", '{"kind":'] as const) {
    assert.throws(() => readAnswer("ci.yml", text), { name: "Failure", kind: "host" });
  }
  for (const answer of [null, 1, [], {}, { kind: [] }, { kind: "pipeline" }]) {
    assert.throws(() => read(answer), { name: "Failure" }, JSON.stringify(answer));
  }
});

Deno.test("readAnswer() lets nothing control the terminal", () => {
  const { warnings } = read({
    ...{ kind: "pipeline", stages: [], jobs: [job()], warnings: ["\x1b[2Ja"] },
  });
  assert.deepEqual(warnings, ["\ufffd[2Ja"]);
  assert.throws(
    () => read({ kind: "mistake", reason: "\x1b[2J", file: "\x1b", line: 3 }),
    /^Failure: Cannot read \ufffd line 3: \ufffd\[2J$/,
  );
});
