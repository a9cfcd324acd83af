import assert from "node:assert/strict";
import { showPipeline } from "../../../../src/pipeline/show/show_pipeline.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { job, pipelineOf, result } from "../run/jobs.ts";

const PIPELINE = pipelineOf(job("a", "1"), job("longer/name", "1"));
const OPTIONS = { masked: ["secret-word"], logs: undefined, stream: "stdout" } as const;

Deno.test("lines of jobs stand after their names, and masked values are not shown", async () => {
  const { host, out } = recordingHost();
  const show = await showPipeline(host, PIPELINE, OPTIONS);
  const [first, second] = PIPELINE.jobs.map((one) => show.job(one));
  first!.write("one\n\x1b[31mtwo");
  second!.write("a secret-word\n");
  first!.end();
  show.end();
  assert.equal(out(), "a           | one\nlonger/name | a [MASKED]\na           | two\n");
});

Deno.test("names have colours on a terminal, but not with NO_COLOR", async () => {
  const shown = async (env: Record<string, string>) => {
    const { host, out } = recordingHost({ terminals: ["stdout"], env });
    const show = await showPipeline(host, PIPELINE, OPTIONS);
    show.job(PIPELINE.jobs[0]!).write("\x1b[31mone\x1b[0m\n");
    show.end();
    return out();
  };
  assert.equal(await shown({}), "\x1b[36ma           | \x1b[0m\x1b[31mone\x1b[0m\n");
  assert.equal(await shown({ NO_COLOR: "1" }), "a           | one\n");
});

Deno.test("with a folder for logs, each job has a file there", async () => {
  await inFolder(async (folder) => {
    const { host, out } = recordingHost({ uid: Deno.uid()! });
    const logs = `${folder}/logs`;
    const show = await showPipeline(host, PIPELINE, { ...OPTIONS, logs });
    for (const attempt of ["1", "2"]) {
      const lines = show.job(PIPELINE.jobs[1]!);
      lines.write(`attempt ${attempt}\n`);
      lines.end();
    }
    for (const state of ["waiting", "running", "running"] as const) {
      show.progress(new Map([["a", { job: PIPELINE.jobs[0]!, state, results: [] }]]));
    }
    const results = [result("script", 3)];
    show.progress(new Map([["a", { job: PIPELINE.jobs[0]!, state: "failed", results }]]));
    show.end();
    assert.equal(out(), "a: running\na: failed: exit code 3\n");
    assert.equal(
      await Deno.readTextFile(`${logs}/longer%2Fname.log`),
      "attempt 1\nattempt 2\n",
    );
    await assert.rejects(showPipeline(host, PIPELINE, { ...OPTIONS, logs }), {
      message: /logs: it exists/,
    });
  });
});

Deno.test("a job that has just started has no time yet on the terminal", async () => {
  const { host, out } = recordingHost({ terminals: ["stdout"] });
  const show = await showPipeline(host, PIPELINE, OPTIONS);
  show.progress(new Map([["a", { job: PIPELINE.jobs[0]!, state: "running", results: [] }]]));
  show.end();
  assert.match(out(), / 1 {2}a {2}0 s\n1 running\n/);
});

Deno.test("a long name of a job does not widen the lines of all others", async () => {
  const { host, out } = recordingHost();
  const jobs = [job("a", "1"), job("long ".repeat(20), "1")];
  const show = await showPipeline(host, pipelineOf(...jobs), OPTIONS);
  show.job(jobs[0]!).write("one\n");
  show.end();
  assert.equal(out(), `a${" ".repeat(39)} | one\n`);
});
