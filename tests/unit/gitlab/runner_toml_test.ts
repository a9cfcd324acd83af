import { parse } from "@std/toml/parse";
import assert from "node:assert/strict";
import { runnerToml } from "../../../src/gitlab/runner_toml.ts";

interface Section {
  readonly runners: readonly [{
    readonly name: string;
    readonly url: string;
    readonly token: string;
    readonly executor: string;
    readonly shell: string;
    readonly safe_directory_checkout: boolean;
    readonly custom_build_dir: Record<string, unknown>;
    readonly custom: Record<string, unknown>;
  }];
}

function read(text: string): Section["runners"][0] {
  return (parse(text) as unknown as Section).runners[0];
}

const EXECUTABLE = "/usr/local/bin/nspawn-runner";

const SECTION = {
  executable: EXECUTABLE,
  name: "x",
  url: undefined,
  token: undefined,
  defaultImage: undefined,
};

Deno.test("runnerToml() returns TOML with all four stages of the executable", () => {
  const { executor, shell, custom } = read(
    runnerToml(SECTION),
  );
  assert.equal(executor, "custom");
  assert.equal(shell, "bash");
  for (const stage of ["config", "prepare", "run", "cleanup"]) {
    assert.equal(custom[`${stage}_exec`], EXECUTABLE);
  }
  assert.deepEqual(custom["config_args"], ["gitlab-config"]);
  assert.deepEqual(custom["prepare_args"], ["prepare"]);
  assert.deepEqual(custom["run_args"], ["run"]);
  assert.deepEqual(custom["cleanup_args"], ["cleanup"]);
});

Deno.test("runnerToml() leaves time for cleanup before GitLab Runner ends after 30 s", () => {
  const { custom } = read(
    runnerToml(SECTION),
  );
  const graceful = custom["graceful_kill_timeout"] as number;
  const force = custom["force_kill_timeout"] as number;
  assert.ok(graceful > 2, "a stage that ignores SIGTERM needs two seconds");
  assert.ok(graceful + force <= 25);
  for (const stage of ["config", "prepare", "cleanup"]) {
    assert.ok(custom[`${stage}_exec_timeout`] as number >= 60, `${stage} may not hang for ever`);
  }
});

Deno.test("runnerToml() names the lines to fill in, if any", () => {
  const both = runnerToml({
    executable: EXECUTABLE,
    name: "x",
    url: undefined,
    token: undefined,
    defaultImage: undefined,
  });
  assert.match(both, /^# Fill in: url and token\.$/m);
  const one = runnerToml({
    executable: EXECUTABLE,
    name: "x",
    url: "https://g",
    token: undefined,
    defaultImage: undefined,
  });
  assert.match(one, /^# Fill in: token\.$/m);
  const none = runnerToml({
    executable: EXECUTABLE,
    name: "x",
    url: "https://g",
    token: "t",
    defaultImage: undefined,
  });
  assert.doesNotMatch(none, /Fill in/);
  assert.equal(read(none).url, "https://g");
  assert.equal(read(none).token, "t");
});

Deno.test("runnerToml() escapes special characters", () => {
  const odd = 'a"b\\c\n]x = 1\u007f\u0001ü';
  const section = read(
    runnerToml({
      executable: `/opt/${odd}`,
      name: odd,
      url: odd,
      token: odd,
      defaultImage: undefined,
    }),
  );
  assert.equal(section.custom["run_exec"], `/opt/${odd}`);
  assert.equal(section.name, odd);
  assert.equal(section.token, odd);
  assert.equal(section.url, odd);
});

Deno.test("runnerToml() names the image of jobs that name none", () => {
  const { custom } = read(runnerToml({
    executable: EXECUTABLE,
    name: "x",
    url: undefined,
    token: undefined,
    defaultImage: "bookworm",
  }));
  assert.deepEqual(custom["prepare_args"], ["prepare", "--default-image", "bookworm"]);
});

Deno.test("runnerToml() switches on what GitLab Runner does for Docker alone, each with a comment", () => {
  const text = runnerToml(SECTION);
  const section = read(text);
  assert.equal(section.safe_directory_checkout, true);
  assert.equal(section.custom_build_dir["enabled"], true);
  assert.match(text, /^ +#.*\n( +#.*\n)? +safe_directory_checkout/m);
  assert.match(text, /^ +#.*GIT_CLONE_PATH.*\n +\[runners\.custom_build_dir\]/m);
});
