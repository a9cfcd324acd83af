import assert from "node:assert/strict";
import { removeExportMount } from "../../../src/linux/nspawn_leftovers.ts";
import { recordingHost } from "../recording_host.ts";

const PATH = "/run/systemd/nspawn/unix-export/run-42";
const RECORD = "/run/systemd/machines/run-42";

function exportHost(...paths: string[]) {
  const recording = recordingHost({ answer: () => ({ code: 32 }) });
  const removed: string[] = [];
  const files = {
    ...recording.host.files,
    lstat: (path: string) => recording.host.files.lstat(paths.includes(path) ? "/" : "/nowhere"),
    remove: (path: string) => Promise.resolve(void removed.push(path)),
  };
  return { ...recording, host: { ...recording.host, files }, removed };
}

Deno.test("removeExportMount() removes the folder of a killed nspawn, mounted or not", async () => {
  const { host, commands, removed } = exportHost(PATH);
  await removeExportMount(host, "run-42");
  assert.deepEqual(commands(), [`umount --quiet ${PATH}`]);
  assert.deepEqual(removed, [PATH]);
});

Deno.test("removeExportMount() runs no process where there is no folder", async () => {
  const { host, commands, removed } = exportHost();
  await removeExportMount(host, "run-42");
  assert.deepEqual([commands(), removed], [[], []]);
});

Deno.test("removeExportMount() leaves a machine of the same name alone that somebody else started", async () => {
  const { host, commands, removed } = exportHost(PATH, RECORD);
  await removeExportMount(host, "run-42");
  assert.deepEqual([commands(), removed], [[], []]);
});
