import assert from "node:assert/strict";
import { reportText } from "../../../../src/history/view/report.ts";
import { summarize } from "../../../../src/history/view/statistics.ts";
import { recordOf } from "../fixture.ts";

Deno.test("reportText() has a table for each question, and none without rows", () => {
  const text = reportText(summarize([recordOf(), recordOf({ outcome: "failed" })]));
  assert.deepEqual(text.match(/^[A-Z].*(?=\n\n)/gm), [
    "How jobs ended",
    "By day",
    "By image",
    "By project",
    "Parts of prepare",
  ]);
  assert.match(text, /^success +1 +50\.0 %$/m);
  assert.match(text, /^2030-01-01 +2 +1 +0 +900 ms +900 ms$/m);
  assert.match(text, /^bookworm +2 +900 ms +900 ms +12 ms +12 ms +100 ms +100 ms$/m);
  const project = /^group\/project +2 +1 +1min +1min +10\.0 s +1\.0 GiB +1\.0 GiB +8 KiB$/m;
  assert.match(text, project);
  const unknown = reportText(summarize([recordOf({ usage: null })]));
  assert.match(unknown, /^group\/project +1 +0 .* - +- +-$/m, "not nothing, but unknown");
  const digest = { digest: "sha256:1", wasPulled: true, tree: "ruby\x1b[1m" };
  const pulled = reportText(summarize([recordOf(digest), recordOf({ digest: "sha256:1" })]));
  assert.match(pulled, /^2 +1 +50\.0 %$/m);
  assert.match(pulled, /^ruby\ufffd\[1m /m);
});
