import assert from "node:assert/strict";
import type { ChrootEntry } from "../../../../src/chroots/find/list.ts";
import { asJson, asLines, asTable } from "../../../../src/chroots/find/table.ts";
import { named } from "../fixture.ts";

const UNKNOWN = {
  reason: null,
  origin: null,
  generation: null,
  generations: [],
  digest: null,
  size: null,
  made: null,
  defined: true,
} as const;

const READY: ChrootEntry = {
  ...UNKNOWN,
  name: named("a-long-name"),
  state: "ready",
  origin: "sid",
  generation: 12,
  size: 5 * 1024 ** 3 / 2,
  made: "2030-01-01T00:00:00.000Z",
  path: "/s/a",
};

const DEFINED: ChrootEntry = { ...UNKNOWN, name: named("b"), state: "defined", path: "/s/b" };

const INVALID: ChrootEntry = {
  ...UNKNOWN,
  name: named("c"),
  state: "invalid",
  reason: "Cannot use /defs/c.toml: x",
  path: "/s/c",
};

const NOW = Date.UTC(2030, 0, 1, 3, 5);

Deno.test("asTable() has columns, and dashes for what is unknown", () => {
  assert.equal(
    asTable([READY, DEFINED], NOW),
    "NAME         STATE    GENERATION  AGE     ORIGIN  SIZE     PATH\n" +
      "a-long-name  ready    12          3h5min  sid     2.5 GiB  /s/a\n" +
      "b            defined  -           -       -       -        /s/b\n",
  );
});

Deno.test("asTable() has a column for the reason where a chroot is invalid", () => {
  assert.equal(
    asTable([DEFINED, INVALID], NOW),
    "NAME  STATE    GENERATION  AGE  ORIGIN  SIZE  PATH  REASON\n" +
      "b     defined  -           -    -       -     /s/b\n" +
      "c     invalid  -           -    -       -     /s/c  Cannot use /defs/c.toml: x\n",
  );
});

Deno.test("asLines() has names and paths, asJson() all that is known", () => {
  const entries = [READY, DEFINED, INVALID];
  assert.equal(asLines(entries), "a-long-name /s/a\nb /s/b\nc /s/c\n");
  assert.deepEqual(JSON.parse(asJson(entries)), entries);
  assert.deepEqual([asLines([]), asJson([])], ["", "[]\n"]);
});
