import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import { removeStage, type Script, writeStage } from "../../../../src/machines/exec/script.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** Scripts run as root of the host. */
const ROOT = { user: null, ids: null };

const SCRIPT: Script = {
  bytes: new Uint8Array([0xff, 0x00, 0x80]),
  shells: { programs: ["bash", "sh"], options: ["-e"] },
  streams: "one",
  kind: "sources",
};

/** Calls the function with a folder for the files of stages. */
function inStage(act: (paths: ReturnType<typeof pathsIn>) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const paths = pathsIn(folder);
    await Deno.mkdir(paths.stage);
    await act(paths);
  });
}

Deno.test("writeStage() writes a script for its owner only, under a unique name, with how to run it", () =>
  inStage(async (paths) => {
    const { host } = recordingHost();
    const first = await writeStage(host, paths, SCRIPT, ROOT);
    const second = await writeStage(host, paths, SCRIPT, ROOT);
    assert.notEqual(first.nonce, second.nonce);
    const path = `${paths.stage}/script-${first.nonce}`;
    assert.deepEqual(await Deno.readFile(path), SCRIPT.bytes);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o500);
    const request = await host.files.read(`${paths.stage}/request`);
    assert.equal(request, `${second.nonce} one sources\nbash sh\n-e\n`);
  }));

Deno.test("removeStage() removes the script and the request", () =>
  inStage(async (paths) => {
    const { host } = recordingHost();
    const first = await writeStage(host, paths, SCRIPT, ROOT);
    const second = await writeStage(host, paths, SCRIPT, ROOT);
    await removeStage(host, first);
    assert.deepEqual(await host.files.list(paths.stage), [`script-${second.nonce}`]);
  }));

Deno.test("writeStage() refuses words that a shell could expand", () =>
  inStage(async (paths) => {
    const { host } = recordingHost();
    for (const word of ["$SHELL", "${X}", "a b", "`id`", "%n", "a;b", "", "a\nb", "*"]) {
      for (
        const shells of [{ programs: [word], options: [] }, { programs: ["sh"], options: [word] }]
      ) {
        await assert.rejects(writeStage(host, paths, { ...SCRIPT, shells }, ROOT), (error) => {
          assert.ok(error instanceof Failure);
          assert.equal(error.kind, "refused");
          return true;
        });
      }
    }
    assert.deepEqual(await host.files.list(paths.stage), []);
  }));
