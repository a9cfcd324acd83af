import assert from "node:assert/strict";
import { gitlabRunner, runners } from "../../../src/doctor/gitlab.ts";
import { runnerToml } from "../../../src/gitlab/runner_toml.ts";
import { find, state } from "./fixture.ts";

Deno.test("gitlabRunner() finds gitlab-runner and runs it", async () => {
  assert.equal((await find(gitlabRunner, {}))[0]?.state, "weak");
  const files = { "/usr/bin/gitlab-runner": "" };
  const well = await find(gitlabRunner, {
    files,
    answer: () => ({ stdout: "Version:      17.5.0\n" }),
  });
  assert.deepEqual([well[0]?.state, well[0]?.found], [
    "ok",
    "/usr/bin/gitlab-runner, version 17.5.0",
  ]);
  assert.equal(
    (await find(gitlabRunner, { files, answer: () => ({ code: 1 }) }))[0]?.state,
    "broken",
  );
});

const FILE = "/etc/gitlab-runner/config.toml";

const PROGRAM = "/usr/local/bin/nspawn-runner";

const OURS = runnerToml({
  executable: PROGRAM,
  name: "ci",
  url: undefined,
  token: undefined,
  defaultImage: undefined,
});

/** GitLab Runner's configuration, and the finding. */
const CONFIGURATIONS: readonly (readonly [string, string, RegExp])[] = [
  [OURS, "ok", /all four stages/],
  [OURS.replaceAll("/usr/local/bin", "/opt"), "broken", /\/opt\/nspawn-runner does not exist/],
  [
    OURS.replace('["cleanup"]', '["run"]'),
    "broken",
    /its cleanup stage does not call nspawn-runner cleanup/,
  ],
  [
    OURS.replace("prepare_exec_timeout = 3600", "prepare_exec_timeout = 60"),
    "weak",
    /prepare_exec_timeout is 60 s/,
  ],
  [OURS.replace('shell = "bash"', 'shell = "pwsh"'), "weak", /shell = "pwsh"/],
  [
    OURS.replace("https://gitlab.example.com/", "http://localhost:8080"),
    "weak",
    /localhost is the host's own loopback/,
  ],
  [OURS.replace('executor = "custom"', 'executor = "docker"'), "weak", /no runner calls/],
  ["[[runners]", "broken", /config\.toml/],
  ["", "weak", /no runner calls/],
];

for (const [text, expected, found] of CONFIGURATIONS) {
  Deno.test(`runners() is ${expected}: ${found.source}`, async () => {
    const files = { [FILE]: text, [PROGRAM]: "" };
    const [finding, ...more] = await find(runners, { files });
    assert.equal(finding?.state, expected, finding?.found);
    assert.match(finding?.found ?? "", found);
    assert.deepEqual(more, []);
  });
}

Deno.test("runners() is weak where GitLab Runner has no configuration", async () => {
  assert.deepEqual((await find(runners, {})).map(state), [["weak", true]]);
});
