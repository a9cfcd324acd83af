import assert from "node:assert/strict";
import { hostForLibrary } from "../../../src/library/host.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("hostForLibrary() hides the variables of a job in which the caller runs", () => {
  const env = {
    CUSTOM_ENV_CI_JOB_ID: "7",
    JOB_RESPONSE_FILE: "/x",
    BUILD_EXIT_CODE_FILE: "/y",
    NSPAWN_RUNNER_MACHINE: "run-7",
    NSPAWN_RUNNER_INPUT: "/z",
    NSPAWN_RUNNER_CONFIG: "/config.toml",
    PATH: "/bin",
  };
  const host = hostForLibrary(recordingHost({ env }).host, () => {});
  const { NSPAWN_RUNNER_CONFIG, PATH } = env;
  assert.deepEqual(host.environment(), { NSPAWN_RUNNER_CONFIG, PATH });
  for (const [name, value] of Object.entries(env)) {
    assert.equal(host.env(name), /CONFIG|PATH/.test(name) ? value : undefined);
  }
});

Deno.test("hostForLibrary() passes messages on, and writes nothing", () => {
  const messages: string[] = [];
  const { host, out, err } = recordingHost();
  const { log } = hostForLibrary(host, (message) => messages.push(message));
  log.info("one");
  log.warn("two");
  log.step("three");
  log.debug("four");
  assert.deepEqual(messages, ["one", "two"]);
  assert.equal(`${out()}${err()}`, "");
});
