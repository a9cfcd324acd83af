import assert from "node:assert/strict";
import { jobVariables } from "../../../src/gitlab/variables.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("jobVariables() returns the job's variables, paths for files, and none that is too long", () =>
  inFolder(async (folder) => {
    const response = `${folder}/response.json`;
    const variables = [{ key: "CONF", value: "text", file: true }, { key: "A", file: false }];
    await Deno.writeTextFile(response, JSON.stringify({ variables }));
    const env: Record<string, string> = {
      JOB_RESPONSE_FILE: response,
      PATH: "/bin",
      CUSTOM_ENV_A: "b c\nd",
      CUSTOM_ENV_CONF: "text",
      CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR: "/builds/g/p.tmp",
      CUSTOM_ENV_LONG: "x".repeat(1_000_001),
      CUSTOM_ENV_BYTES: "€".repeat(40_000),
      CUSTOM_ENV_Z: "last",
    };
    const { host } = recordingHost();
    const own = { ...host, env: (name: string) => env[name], environment: () => env };
    const expected = [
      "A=b c\nd",
      "CONF=/builds/g/p.tmp/CONF",
      "RUNNER_TEMP_PROJECT_DIR=/builds/g/p.tmp",
      "Z=last",
    ];
    assert.deepEqual(await jobVariables(own), expected);
    await Deno.writeTextFile(response, "no JSON");
    assert.ok((await jobVariables(own)).includes("CONF=text"));
  }));
