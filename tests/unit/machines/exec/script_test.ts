import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import { openChannel } from "../../../../src/machines/exec/channel.ts";
import { removeScript, writeScript } from "../../../../src/machines/exec/script.ts";
import type { MachinePaths } from "../../../../src/machines/record/paths.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** Scripts run as root of the host. */
const ROOT = { user: null, ids: null };

async function openPaths(folder: string): Promise<MachinePaths> {
  const paths = pathsIn(folder);
  const options = { ...ROOT, owned: [], environment: [], limited: false };
  await openChannel(recordingHost().host, paths, options);
  return paths;
}

Deno.test("writeScript() writes a script for its owner only, under a unique name, and removeScript() removes it", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const paths = await openPaths(folder);
    const shells = { programs: ["bash"], options: [] };
    const script = new Uint8Array([0xff, 0x00, 0x80]);
    const [first, second] = [
      await writeScript(host, paths, script, shells, ROOT),
      await writeScript(host, paths, script, shells, ROOT),
    ];
    assert.notEqual(first.nonce, second.nonce);
    const path = `${paths.stage}/script-${first.nonce}`;
    assert.deepEqual(await Deno.readFile(path), script);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o500);
    assert.equal((await Deno.stat(paths.stage)).mode! & 0o777, 0o700);
    await removeScript(host, paths, first);
    assert.equal(await host.files.lstat(path), null);
    assert.ok(await host.files.lstat(`${paths.stage}/script-${second.nonce}`));
  });
});

Deno.test("writeScript() refuses words that systemd or a shell could expand", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const paths = await openPaths(folder);
    for (const word of ["$SHELL", "${X}", "a b", "`id`", "%n", "a;b", "", "a\nb"]) {
      for (
        const shells of [{ programs: [word], options: [] }, { programs: ["sh"], options: [word] }]
      ) {
        const written = writeScript(host, paths, new Uint8Array(), shells, ROOT);
        await assert.rejects(written, (error) => {
          assert.ok(error instanceof Failure);
          assert.equal(error.kind, "refused");
          return true;
        });
      }
    }
    assert.deepEqual(await host.files.list(paths.stage), ["reporter", "result"]);
  });
});
