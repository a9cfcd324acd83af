import assert from "node:assert/strict";
import type { Ending } from "../../../src/ending.ts";
import { hostFailure, refused, usageError } from "../../../src/failure.ts";
import { exitCode, forgetExitCode, type Outcome } from "../../../src/gitlab/exit_codes.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const ending = (ending: Ending): Outcome => ({ kind: "ending", ending });
const failure = (error: unknown): Outcome => ({ kind: "failure", error });

/** Outcome, code of a command that runs a script, code of another, code and file under a runner. */
const TABLE: readonly (readonly [string, Outcome, number, number, number, string | null])[] = [
  ["success", { kind: "done" }, 0, 0, 0, null],
  ["a script that ends with 0", ending({ kind: "exited", code: 0 }), 0, 0, 0, null],
  ["a script that ends with 3", ending({ kind: "exited", code: 3 }), 3, 3, 71, "3\n"],
  ["a script that ends with 255", ending({ kind: "exited", code: 255 }), 255, 255, 71, "255\n"],
  ["a script that is killed", ending({ kind: "signalled", signal: 9 }), 137, 137, 71, "137\n"],
  [
    "a script without memory",
    ending({ kind: "out-of-memory", limit: "memory_max" }),
    137,
    137,
    71,
    "137\n",
  ],
  ["a machine that is lost", ending({ kind: "lost", reason: "gone" }), 125, 125, 72, null],
  ["a wrong command line", failure(usageError("x")), 2, 2, 71, null],
  ["a refusal", failure(refused("x")), 1, 1, 71, null],
  ["a failure of the host", failure(hostFailure("x")), 125, 1, 72, null],
  ["a bug", failure(new TypeError("x")), 125, 1, 72, null],
];

for (const [name, outcome, script, other, runner, file] of TABLE) {
  Deno.test(`exitCode() of ${name}`, async () => {
    const byHand = recordingHost().host;
    assert.equal(await exitCode(byHand, outcome, true), script);
    assert.equal(await exitCode(byHand, outcome, false), other);
    await inFolder(async (folder) => {
      const path = `${folder}/build_exit_code`;
      const env = {
        BUILD_FAILURE_EXIT_CODE: "71",
        SYSTEM_FAILURE_EXIT_CODE: "72",
        BUILD_EXIT_CODE_FILE: path,
      };
      const { host } = recordingHost({ env });
      assert.equal(await exitCode(host, outcome, true), runner);
      assert.equal(await host.files.read(path), file);
    });
  });
}

Deno.test("exitCode() needs no BUILD_EXIT_CODE_FILE", async () => {
  const { host } = recordingHost({ env: { BUILD_FAILURE_EXIT_CODE: "1" } });
  assert.equal(await exitCode(host, ending({ kind: "exited", code: 9 }), true), 1);
});

Deno.test("exitCode() uses 2 if GitLab Runner passes no SYSTEM_FAILURE_EXIT_CODE", async () => {
  const { host } = recordingHost({ env: { BUILD_FAILURE_EXIT_CODE: "1" } });
  assert.equal(await exitCode(host, failure(hostFailure("x")), true), 2);
});

Deno.test("exitCode() is that of a call by hand if BUILD_FAILURE_EXIT_CODE is no number", async () => {
  const { host } = recordingHost({ env: { BUILD_FAILURE_EXIT_CODE: "one" } });
  assert.equal(await exitCode(host, ending({ kind: "exited", code: 9 }), true), 9);
});

Deno.test("forgetExitCode() removes the file of an earlier stage", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/build_exit_code`;
    await Deno.writeTextFile(path, "3\n");
    const { host } = recordingHost({ env: { BUILD_EXIT_CODE_FILE: path } });
    await forgetExitCode(host);
    await forgetExitCode(host);
    assert.equal(await host.files.read(path), null);
  });
});

Deno.test("exitCode() is a system failure if the code of a script cannot be written", async () => {
  const env = { BUILD_FAILURE_EXIT_CODE: "1", BUILD_EXIT_CODE_FILE: "/nonexistent/code" };
  const { host, err } = recordingHost({ env });
  assert.equal(await exitCode(host, ending({ kind: "exited", code: 9 }), true), 2);
  assert.match(err(), /cannot write the exit code of the script to \/nonexistent\/code/);
});

Deno.test("exitCode() ignores a BUILD_FAILURE_EXIT_CODE above 255", async () => {
  const { host } = recordingHost({ env: { BUILD_FAILURE_EXIT_CODE: "256" } });
  assert.equal(await exitCode(host, ending({ kind: "exited", code: 9 }), true), 9);
});
