import assert from "node:assert/strict";
import { checkMachineOf } from "../../../src/app/check_machine.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("checkMachineOf() finds that no machine starts from an unknown image", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/config.toml`;
    await Deno.writeTextFile(file, `store = "${folder}/store"\ndefinitions = "${folder}/defs"\n`);
    const { host, commands } = recordingHost();
    const findings = await checkMachineOf(host, await loadConfig(host, file), "bookworm");
    assert.deepEqual(findings.map(({ topic, state }) => [topic, state]), [["machine", "broken"]]);
    assert.match(findings[0]?.found ?? "", /^Cannot use image "bookworm": no such chroot/);
    assert.match(`${findings[0]?.fix}`, /nspawn-runner chroot-create bookworm/);
    assert.deepEqual(commands(), []);
  });
});
