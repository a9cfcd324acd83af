/** Pipelines without GitLab. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { type PipelineCase, PIPELINES } from "./pipelines.ts";
import { answerOf, linesOf, withWorkingCopy } from "./working_copy.ts";

// A pipeline takes seconds: each is played on one kind of host, the one whose other tests end sooner.
for (const one of PIPELINES) {
  onEachHost(`pipeline: ${one.name}`, async (site) => {
    await withWorkingCopy(site, one.file, one.files ?? {}, async (copy) => {
      const done = await copy.pipeline(["--json", ...one.words ?? []]);
      const { states } = answerOf(done);
      assert.deepEqual(states, one.states, done.stderr);
      assert.equal(done.code, one.code ?? 0, done.stderr);
      checkLines(one, done.stderr);
    });
  }, ["standalone"]);
}

function checkLines({ lines = [], never, states }: PipelineCase, output: string): void {
  for (const job of Object.keys(states)) {
    const printed = linesOf(output, job);
    const wanted = lines.filter((line) => line.startsWith(`${job}: `))
      .map((line) => line.slice(job.length + 2));
    let from = 0;
    for (const line of wanted) {
      const at = printed.indexOf(line, from);
      assert.notEqual(at, -1, `${job} prints ${JSON.stringify(line)}:\n${printed.join("\n")}`);
      from = at + 1;
    }
    if (never === undefined) continue;
    for (const line of printed) assert.doesNotMatch(line, never);
  }
}
