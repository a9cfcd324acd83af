/** What nspawn leaves behind when it is killed. */

import assert from "node:assert/strict";
import { EXPORTS, RECORDS, sweepWorkshops } from "../../../src/host/remains.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("sweepWorkshops() starts nothing where nothing is called so", async () => {
  const { host, commands } = recordingHost();
  for (const [folder, name] of [[EXPORTS, "setup-42"], [RECORDS, "login-x-7"], ["", ""]] as const) {
    const list = (path: string) => Promise.resolve(path === folder ? ["run-42", name] : ["other"]);
    await sweepWorkshops({ ...host, files: { ...host.files, list } }, "/store", [
      "setup-",
      "login-",
    ]);
  }
  assert.equal(commands().length, 2);
  assert.match(commands()[0]!, new RegExp(` sh /store ${RECORDS} ${EXPORTS} setup- login-$`));
});
