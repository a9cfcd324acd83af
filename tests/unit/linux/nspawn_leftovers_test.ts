/** What nspawn leaves behind when it is killed. */

import assert from "node:assert/strict";
import {
  EXPORTS,
  RECORDS,
  sweepExport,
  sweepWorkshops,
  WORKSHOP,
} from "../../../src/linux/nspawn_leftovers.ts";
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

function exportHost(isThere: boolean) {
  const recording = recordingHost({ answer: () => ({ code: 32 }) });
  const removed: string[] = [];
  const files = {
    ...recording.host.files,
    lstat: () => isThere ? recording.host.files.lstat("/") : Promise.resolve(null),
    remove: (path: string) => Promise.resolve(void removed.push(path)),
  };
  return { ...recording, host: { ...recording.host, files }, removed };
}

Deno.test("sweepExport() unmounts and removes what a killed nspawn left, also where nothing is mounted", async () => {
  const { host, commands, removed } = exportHost(true);
  await sweepExport(host, "run-42");
  const path = "/run/systemd/nspawn/unix-export/run-42";
  assert.deepEqual(commands(), [`umount --quiet ${path}`]);
  assert.deepEqual(removed, [path]);
});

Deno.test("sweepExport() starts no process where there is nothing", async () => {
  const { host, commands, removed } = exportHost(false);
  await sweepExport(host, "run-42");
  assert.deepEqual([commands(), removed], [[], []]);
});
