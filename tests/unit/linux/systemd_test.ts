import assert from "node:assert/strict";
import { isSystemdHost } from "../../../src/linux/systemd.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("isSystemdHost() looks for the folder of sd_booted(3)", async () => {
  const { host } = recordingHost();
  for (const isBooted of [true, false]) {
    const lstat = async (path: string) => {
      assert.equal(path, "/run/systemd/system");
      return isBooted ? await host.files.lstat("/") : null;
    };
    assert.equal(await isSystemdHost({ ...host, files: { ...host.files, lstat } }), isBooted);
  }
});
