import assert from "node:assert/strict";
import { findRunnerProgram } from "../../../src/gitlab/runner_program.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("findRunnerProgram() finds the first program on PATH, and resolves symlinks", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a/gitlab-runner`, { recursive: true });
    await Deno.mkdir(`${folder}/b`);
    await Deno.mkdir(`${folder}/c`);
    await Deno.writeTextFile(`${folder}/b/gitlab-runner`, "", { mode: 0o644 });
    await Deno.writeTextFile(`${folder}/real`, "", { mode: 0o755 });
    await Deno.symlink("../real", `${folder}/c/gitlab-runner`);
    const find = (...folders: string[]) =>
      findRunnerProgram(recordingHost({ env: { PATH: folders.join(":") } }).host, undefined);
    const [a, b, c] = ["a", "b", "c"].map((name) => `${folder}/${name}`);
    assert.equal(
      await find(a!, b!, c!),
      `${folder}/real`,
      "no folder, and nothing that does not run",
    );
    assert.equal(await find(a!, b!), null);
    assert.equal(await find(""), null, "an empty word of PATH is the working directory: a job's");
    assert.equal(await findRunnerProgram(recordingHost().host, undefined), null);
  });
});

Deno.test("findRunnerProgram() uses the configured path only", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/gitlab-runner`, "", { mode: 0o755 });
    const { host } = recordingHost({ env: { PATH: folder } });
    assert.equal(
      await findRunnerProgram(host, `${folder}/gitlab-runner`),
      `${folder}/gitlab-runner`,
    );
    await assert.rejects(findRunnerProgram(host, "/no/such"), {
      kind: "refused",
      message: /\/no\/such/,
    });
  });
});
