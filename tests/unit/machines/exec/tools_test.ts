import assert from "node:assert/strict";
import { denoProcesses } from "../../../../src/host/processes.ts";
import { copyEntryTools, withToolsAsRoot } from "../../../../src/machines/exec/tools.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { SETTINGS } from "../fixture.ts";

const PLAIN = { booted: false, ids: null, settings: SETTINGS };

Deno.test("copyEntryTools() copies nothing where entering drops no capability that nsenter needs", async () => {
  const { host, commands } = recordingHost();
  await copyEntryTools(host, { ...PLAIN, booted: true }, "/tools");
  await copyEntryTools(host, { ...PLAIN, ids: 0x6000_0000 }, "/tools");
  assert.deepEqual(commands(), []);
});

Deno.test("copyEntryTools() that fails names the packages", async () => {
  const { host } = recordingHost({ answer: () => ({ code: 1, stderr: "ldd: not found\n" }) });
  await assert.rejects(copyEntryTools(host, PLAIN, "/tools"), {
    kind: "host",
    message: "Cannot copy setpriv and chroot for the machine: ldd: not found",
    hint: /util-linux and coreutils/,
  });
});

Deno.test("copyEntryTools() copies programs that run with the folder as their root", async () => {
  const name = "copyEntryTools() copies programs that run";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const { host } = recordingHost({ real: ["sh"] });
    await copyEntryTools(host, PLAIN, folder);
    const { capture } = denoProcesses(host.log);
    for (const program of ["setpriv", "chroot"]) {
      const { code, stdout } = await capture(["chroot", folder, program, "--version"]);
      assert.equal(code, 0, program);
      assert.match(stdout, new RegExp(`^${program} `));
    }
  });
});

Deno.test("withToolsAsRoot() runs a command in a read-only mount that .. does not lead out of", async () => {
  const name = "withToolsAsRoot() runs a command in a mount";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/tool`, "");
    const { capture } = denoProcesses(recordingHost().host.log);
    const show = "ls; ls ..; touch file 2>/dev/null || echo read-only";
    const done = await capture(withToolsAsRoot(folder, ["sh", "-c", show]));
    assert.deepEqual([done.stdout, done.code], ["tool\ntool\nread-only\n", 0]);
  });
});
