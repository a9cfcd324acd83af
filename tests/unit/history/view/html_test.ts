import assert from "node:assert/strict";
import { COLORS, reportPage } from "../../../../src/history/view/html.ts";
import { summarize } from "../../../../src/history/view/statistics.ts";
import { recordOf } from "../fixture.ts";

const FACTS = {
  host: "ci<1>",
  program: "0.1.0",
  since: "2030-01-01",
  until: "2030-01-02",
  broken: 0,
};

Deno.test("reportPage() is one page without scripts and requests, in which names are only text", () => {
  const evil = '<script>alert("x")</script>';
  const records = [
    recordOf({ project: evil, tree: evil }),
    recordOf({ outcome: "lost", reason: evil, ended: "2030-01-02T00:00:00.000Z" }),
  ];
  const page = reportPage(summarize(records), FACTS);
  assert.match(page, /^<!DOCTYPE html>\n<html lang="en">\n/);
  assert.match(page, /<title>CI jobs of ci&lt;1&gt;<\/title>/);
  assert.ok(!/<script|https?:|url\(|@import|\bsrc=|\bhref=/.test(page));
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
  assert.equal(page.match(/<svg /g)?.length, 3);
  assert.equal(page.match(/<svg /g)?.length, page.match(/<\/svg>/g)?.length);
  assert.ok(page.includes(`fill="${COLORS.lost}"><title>2030-01-02: 1 lost</title>`));
  assert.ok(!/NaN|Infinity|undefined/.test(page));
});

Deno.test("reportPage() of no jobs has no plots, and tells lines that cannot be read", () => {
  const page = reportPage(summarize([]), { ...FACTS, broken: 3 });
  assert.match(page, /<p>0 jobs .*, and 3 lines that cannot be read\.<\/p>/);
  assert.ok(!page.includes("<svg"));
  const bare = recordOf({ usage: null, calls: [], tree: null, image: null });
  assert.ok(!/NaN|Infinity/.test(reportPage(summarize([bare]), FACTS)));
});
