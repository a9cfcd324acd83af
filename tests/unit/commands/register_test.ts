/** The stand-in for gitlab-runner really runs. */

import { parse } from "@std/toml/parse";
import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { denoProcesses } from "../../../src/host/processes.ts";
import type { Argv } from "../../../src/host/host.ts";
import { inFolder, recordingHost } from "../recording_host.ts";
import { CHECKOUT } from "../source.ts";

/** Registers with the content of a token file; returns the configuration of GitLab Runner then. */
async function register(token: string, more: readonly string[], installed = true) {
  let done = { code: 0, err: "", written: "", printed: "", argv: [] as readonly string[] };
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/token`, token);
    await Deno.writeTextFile(`${folder}/runners.toml`, "concurrent = 4\n");
    await Deno.writeTextFile(
      `${folder}/c.toml`,
      `store = "${folder}/s"\ndefinitions = "${folder}"`,
    );
    await Deno.mkdir(`${folder}/bin`);
    if (installed) {
      await Deno.copyFile(`${CHECKOUT}tests/hosts/gitlab_runner.sh`, `${folder}/bin/gitlab-runner`);
    }
    const env = {
      PATH: `${folder}/bin:/usr/bin:/bin`,
      CONFIG_FILE: `${folder}/runners.toml`,
      NSPAWN_RUNNER_CONFIG: `${folder}/c.toml`,
    };
    const recording = recordingHost({ env });
    const real = denoProcesses(recording.host.log);
    let argv: Argv = [""];
    const processes = {
      ...real,
      capture: (...call: Parameters<typeof real.capture>) => {
        argv = call[0];
        return real.capture(...call);
      },
    };
    const host = { ...recording.host, processes };
    const options = ["--url", "https://g.example/", "--token-file", `${folder}/token`, ...more];
    const code = await main(["register", ...options], host);
    const err = recording.err();
    await main(["toml", ...options], host);
    const written = await Deno.readTextFile(`${folder}/runners.toml`);
    done = { code, err, written, printed: recording.out(), argv };
  });
  return done;
}

/** Returns the only runner in a configuration, without its name, which GitLab Runner takes from the host. */
function runnerIn(toml: string): string {
  const { runners } = parse(toml) as { runners: { name: string }[] };
  assert.equal(runners.length, 1);
  const { name: _, ...settings } = runners[0]!;
  return JSON.stringify(settings);
}

Deno.test("register lets gitlab-runner write the section that toml prints", async () => {
  const { code, err, written, printed } = await register("glrt-right\n", ["--default-image", "x"]);
  assert.equal(code, 0, err);
  assert.match(written, /^concurrent = 4$/m);
  assert.match(written, /prepare_args = \["prepare", "--default-image", "x"\]/);
  assert.equal(runnerIn(written), runnerIn(printed));
  assert.match(err, /^Runner registered successfully\.\nCheck the host: nspawn-runner doctor\n$/m);
});

Deno.test("register shows the token in no command line and no message", async () => {
  const { argv, err } = await register("glrt-right\n", ["--debug"]);
  assert.ok(argv.includes("--non-interactive"));
  assert.ok(![...argv, err].some((text) => text.includes("glrt-right")));
});

Deno.test("register prints what gitlab-runner says, and fails with it", async () => {
  const { code, err, written } = await register("glrt-wrong\n", ["--default-image", "x"]);
  assert.equal(code, 1);
  assert.equal(
    err,
    "PANIC: Failed to verify the runner.\n" +
      "nspawn-runner: Cannot register the runner: gitlab-runner register ended with 1\n" +
      "Its messages above say why\n",
  );
  assert.equal(written, "concurrent = 4\n");
});

Deno.test("register adds no runner where the configuration is wrong, whose jobs would all fail", async () => {
  const { code, err, written } = await register("glrt-right\n", ["--config", "/proc/version"]);
  assert.equal(code, 1);
  assert.match(err, /^nspawn-runner: Cannot .*\/proc\/version/);
  assert.equal(written, "concurrent = 4\n");
});

Deno.test("register needs a gitlab-runner", async () => {
  const { code, err } = await register("glrt-right\n", ["--default-image", "x"], false);
  assert.equal(code, 1);
  assert.match(err, /Cannot register a runner: gitlab-runner is not installed/);
});

Deno.test("register needs the address of GitLab and a token", async () => {
  for (
    const [given, missing] of [["--url=https://g", "--token-file"], ["--token-file=t", "--url"]]
  ) {
    const { host, err } = recordingHost();
    assert.equal(await main(["register", given!], host), 2);
    assert.match(err(), new RegExp(`Cannot register a runner: ${missing} is missing\n`));
  }
});
