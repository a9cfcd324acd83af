import assert from "node:assert/strict";
import { removeExportMount } from "../../../src/linux/nspawn_leftovers.ts";
import { recordingHost } from "../recording_host.ts";

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

Deno.test("removeExportMount() removes the folder of a killed nspawn, mounted or not", async () => {
  const { host, commands, removed } = exportHost(true);
  await removeExportMount(host, "run-42");
  const path = "/run/systemd/nspawn/unix-export/run-42";
  assert.deepEqual(commands(), [`umount --quiet ${path}`]);
  assert.deepEqual(removed, [path]);
});

Deno.test("removeExportMount() runs no process where there is no folder", async () => {
  const { host, commands, removed } = exportHost(false);
  await removeExportMount(host, "run-42");
  assert.deepEqual([commands(), removed], [[], []]);
});
