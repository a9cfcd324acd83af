import assert from "node:assert/strict";
import { withoutSecrets } from "../../../src/gitlab/secrets.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("withoutSecrets() masks tokens, passwords, and variables that are not public", () =>
  inFolder(async (folder) => {
    const path = `${folder}/response.json`;
    const response = {
      token: "glcbt-token",
      variables: [
        { key: "A", value: "masked value", public: true, masked: true },
        { key: "B", value: "masked value and more", public: false },
        { key: "C", value: "public value", public: true },
        { key: "D", value: "short", public: false },
        null,
      ],
      credentials: [{ password: "registry-password" }],
    };
    await Deno.writeTextFile(path, JSON.stringify(response));
    const { host } = recordingHost({ env: { JOB_RESPONSE_FILE: path } });
    assert.equal(
      await withoutSecrets(
        host,
        "glcbt-token, masked value and more, public value, short, registry-password",
      ),
      "[MASKED], [MASKED], public value, short, [MASKED]",
    );
    await Deno.writeTextFile(path, "{");
    assert.equal(await withoutSecrets(host, "text"), "text");
    assert.equal(await withoutSecrets(recordingHost().host, "text"), "text", "by hand");
  }));
