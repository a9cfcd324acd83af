import assert from "node:assert/strict";
import { scriptOwnerIds } from "../../../../src/machines/exec/script_owner.ts";

const FIRST = 0x6000_0000;
const CI = { name: "ci", uid: 1000, gid: 1001, home: "/home/ci" };

Deno.test("scriptOwnerIds() are ids of the host, for root and for a user, with and without own ids", () => {
  assert.deepEqual(scriptOwnerIds({ user: null, ids: null }), [0, 0]);
  assert.deepEqual(scriptOwnerIds({ user: CI, ids: null }), [1000, 1001]);
  assert.deepEqual(scriptOwnerIds({ user: null, ids: FIRST }), [FIRST, FIRST]);
  assert.deepEqual(scriptOwnerIds({ user: CI, ids: FIRST }), [FIRST + 1000, FIRST + 1001]);
});
