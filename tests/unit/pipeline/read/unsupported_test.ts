import assert from "node:assert/strict";
import { UNSUPPORTED } from "../../../../src/pipeline/read/unsupported.ts";

Deno.test("docs/pipeline.md names the keywords without effect", async () => {
  const page = await Deno.readTextFile(new URL("../../../../docs/pipeline.md", import.meta.url));
  const section = page.slice(page.indexOf("\n## What it does not do\n"));
  const rows = [...section.matchAll(/^\| (`.*`) +\| (.*?) +\|$/gm)].map(([, keyword, instead]) => [
    keyword!.replaceAll("`, `", " and ").replaceAll("`", ""),
    instead,
  ]);
  assert.deepEqual(rows, UNSUPPORTED.map(({ keyword, instead }) => [keyword, instead]));
});
