/** What nspawn leaves behind when it is killed. */

import assert from "node:assert/strict";
import { EXPORTS, sweepDeadExports } from "../../../src/host/exports.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("sweepDeadExports() asks nobody where there are none", async () => {
  const { host, commands } = recordingHost();
  const files = { ...host.files, list: () => Promise.resolve(["run-42", "other"]) };
  await sweepDeadExports({ ...host, files }, "setup-");
  assert.deepEqual(commands(), []);
  const there = { ...host.files, list: () => Promise.resolve(["setup-42"]) };
  await sweepDeadExports({ ...host, files: there }, "setup-");
  assert.match(commands()[0]!, new RegExp(` sh ${EXPORTS} setup-$`));
});
