/** What nspawn leaves behind when it is killed. */

import assert from "node:assert/strict";
import { EXPORTS, RECORDS, sweepWorkshops, WORKSHOP } from "../../../src/linux/nspawn_leftovers.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("sweepWorkshops() starts nothing where nothing is called so, and tells what it ended", async () => {
  const ended = `${WORKSHOP}login-x-7`;
  const { host, commands, err } = recordingHost({ answer: () => ({ stdout: `${ended}\n` }) });
  for (const [folder, name] of [[EXPORTS, `${WORKSHOP}setup-42`], [RECORDS, ended], ["", ""]]) {
    const list = (path: string) => Promise.resolve(path === folder ? ["run-42", name!] : ["other"]);
    await sweepWorkshops({ ...host, files: { ...host.files, list } });
  }
  assert.equal(commands().length, 2);
  assert.match(commands()[0]!, new RegExp(` sh ${RECORDS} ${EXPORTS} ${WORKSHOP}$`));
  assert.match(err(), new RegExp(`^Ending ${ended}: `, "m"));
});
