import assert from "node:assert/strict";
import { writeOutput } from "../../../src/app/output_file.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("writeOutput() writes a file, or replaces it with the same permissions", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost({ uid: Deno.uid()! });
    const path = `${folder}/file`;
    const mode = async () => (await host.files.lstat(path))!.mode & 0o777;
    await writeOutput(host, path, "first", 0o600);
    assert.equal(await mode(), 0o600);
    await host.files.chmod(path, 0o640);
    await writeOutput(host, path, "second", 0o600);
    assert.deepEqual([await host.files.read(path), await mode()], ["second", 0o640]);
    const other = recordingHost({ uid: Deno.uid()! + 1 }).host;
    await writeOutput(other, path, "third", 0o600);
    assert.deepEqual([await host.files.read(path), await mode()], ["third", 0o600]);
  }));

Deno.test("writeOutput() replaces nothing but a regular file, and names a missing folder", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    await host.files.symlink("/dev/null", `${folder}/link`);
    for (const path of ["/dev/null", `${folder}/link`, folder]) {
      await assert.rejects(writeOutput(host, path, "", 0o600), {
        message: `Cannot write ${path}: it is no regular file`,
      });
    }
    await assert.rejects(writeOutput(host, `${folder}/no/file`, "", 0o600), {
      message: `Cannot write ${folder}/no/file: no such folder`,
      hint: `Create it: mkdir -p ${folder}/no`,
    });
    assert.deepEqual(await host.files.list(folder), ["link"]);
  }));
