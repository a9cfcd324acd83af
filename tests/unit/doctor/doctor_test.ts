import assert from "node:assert/strict";
import { loadConfig } from "../../../src/config/load.ts";
import { asReport, checkHost } from "../../../src/doctor/doctor.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("asReport() has a row for each finding, and below them the fixes", () => {
  const findings = [
    { topic: "a", state: "ok", found: "1", fix: null },
    { topic: "longer", state: "weak", found: "2\nmore", fix: "do this" },
  ] as const;
  assert.equal(
    asReport(findings),
    "WHAT    STATE  FOUND\na       ok     1\nlonger  weak   2\n\nweak: longer: do this\n",
  );
  assert.ok(!asReport(findings.slice(0, 1)).includes("\n\n"));
});

Deno.test("checkHost() lists the chroots once", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
    const file = `${folder}/config.toml`;
    await Deno.writeTextFile(file, `store = "${folder}/store"\ndefinitions = "${folder}/defs"\n`);
    const { host } = recordingHost();
    const listed: string[] = [];
    const list = (path: string) => {
      listed.push(path);
      return host.files.list(path);
    };
    const counting = {
      ...host,
      files: { ...host.files, list, replace: () => Promise.resolve() },
    };
    await checkHost(counting, await loadConfig(host, file));
    assert.equal(listed.filter((path) => path === `${folder}/defs`).length, 1);
  });
});
