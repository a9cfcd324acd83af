import assert from "node:assert/strict";
import { secondsOf } from "../../../../src/pipeline/read/seconds.ts";

Deno.test("secondsOf() reads spans of time as GitLab writes them", () => {
  const spans = {
    "3600": 3600,
    "1h": 3600,
    "1h 30m": 5400,
    "1h30m": 5400,
    "3 hours 30 minutes": 12_600,
    "1 hour, 2 min and 3 sec": 3723,
    "90 minutes": 5400,
    "0.5 hours": 1800,
    "1 week": 604_800,
    "2 days": 172_800,
    " 10 Seconds ": 10,
  };
  for (const [text, seconds] of Object.entries(spans)) assert.equal(secondsOf(text), seconds, text);
});

Deno.test("secondsOf() returns undefined for all else", () => {
  for (const text of ["", "soon", "1 parsec", "1h x", "h", "-1", "1:00"]) {
    assert.equal(secondsOf(text), undefined, text);
  }
});
