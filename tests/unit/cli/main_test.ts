import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { hostFailure } from "../../../src/failure.ts";
import { scene, SECRET } from "../commands/fixture.ts";
import { inFolder, recordingHost, type RecordingOptions } from "../recording_host.ts";

async function run(argv: string[], options: RecordingOptions = {}) {
  const env = { NSPAWN_RUNNER_CONFIG: "/dev/null", ...options.env };
  const recording = recordingHost({ ...options, env });
  const code = await main(argv, recording.host);
  return { code, out: recording.out(), err: recording.err(), recording };
}

Deno.test("main() without a command prints help and succeeds", async () => {
  const { code, out, err } = await run([]);
  assert.equal(code, 0);
  assert.match(out, /^nspawn-runner: /);
  assert.equal(err, "");
});

Deno.test("main() prints a command's help and succeeds, without root", async () => {
  for (const argv of [["prepare", "--help"], ["--help", "prepare"], ["prepare", "-h"]]) {
    const { code, out, err } = await run(argv, { uid: 1000 });
    assert.equal(code, 0);
    assert.match(out, /^Usage: nspawn-runner prepare /m);
    assert.equal(err, "");
  }
});

Deno.test("main() prints its version alone", async () => {
  const { code, out } = await run(["--version"]);
  assert.equal(code, 0);
  assert.match(out, /^nspawn-runner \d+\.\d+\.\d+\n$/);
});

Deno.test("main() rejects a wrong command line with 2, or with GitLab Runner's code for a build failure", async () => {
  const byHand = await run(["prepar"]);
  assert.equal(byHand.code, 2);
  assert.match(byHand.err, /no such command\nDid you mean prepare\?\n$/);
  assert.equal(byHand.out, "");
  assert.equal((await run(["prepar"], { env: { BUILD_FAILURE_EXIT_CODE: "7" } })).code, 7);
});

Deno.test("main() removes the exit code of an earlier stage, even if it fails", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/code`;
    await Deno.writeTextFile(file, "3\n");
    await run(["prepar"], { env: { BUILD_FAILURE_EXIT_CODE: "1", BUILD_EXIT_CODE_FILE: file } });
    await assert.rejects(Deno.stat(file));
  });
});

Deno.test("main() refuses commands that need root to other users", async () => {
  for (
    const command of ["prepare", "run x", "cleanup", "simulate", "chroot-create", "chroot-login"]
  ) {
    const { code, err } = await run(command.split(" "), { uid: 1000 });
    assert.equal(code, 1);
    assert.match(err, /needs root\nRun it with sudo\n$/);
  }
  for (const command of ["toml", "gitlab-config", "chroot-list"]) {
    assert.equal((await run([command], { uid: 1000 })).code, 0, command);
  }
});

Deno.test("main() prints the stack of an unexpected error only with --debug", async () => {
  for (const debug of [false, true]) {
    const argv = ["toml", ...(debug ? ["--debug"] : [])];
    const recording = recordingHost();
    const host = { ...recording.host, self: () => Promise.reject(new TypeError("a bug")) };
    assert.equal(await main(argv, host), 1);
    assert.match(recording.err(), /^nspawn-runner: a bug\n/);
    assert.equal(/main_test\.ts/.test(recording.err()), debug);
  }
});

Deno.test("main() prints the causes of a failure only with --debug", async () => {
  for (const debug of [false, true]) {
    const recording = recordingHost();
    const failure = hostFailure("Cannot x: y", "Try z", hostFailure("z failed", undefined, "odd"));
    const host = { ...recording.host, self: () => Promise.reject(failure) };
    await main(["toml", ...(debug ? ["--debug"] : [])], host);
    assert.match(recording.err(), /^nspawn-runner: Cannot x: y\nTry z\n/);
    const isChain =
      /Cannot x: y\n +at .*\nCaused by: Failure: z failed\n +at .*\nCaused by: odd\n$/s;
    assert.equal(isChain.test(recording.err()), debug);
  }
});

Deno.test("main() prints a thrown value that is no error", async () => {
  const recording = recordingHost();
  const host = { ...recording.host, self: () => Promise.reject("odd") };
  assert.equal(await main(["toml", "--debug"], host), 1);
  assert.equal(recording.err(), "nspawn-runner: odd\n");
});

Deno.test("main() takes -v and --debug before and after the command", async () => {
  for (const [word, verbosity] of [["-v", "verbose"], ["--debug", "debug"]] as const) {
    for (const argv of [[word, "gitlab-config"], ["gitlab-config", word]]) {
      assert.equal((await run(argv)).recording.host.log.verbosity, verbosity, argv.join(" "));
    }
  }
  assert.equal((await run(["gitlab-config"])).recording.host.log.verbosity, "normal");
});

Deno.test("main() reads the configuration that --config names", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/c.toml`;
    await Deno.writeTextFile(path, `store = "${folder}"\ndefinitions = "${folder}"\n`);
    for (const argv of [["--config", path, "chroot-list"], ["chroot-list", "--config", path]]) {
      assert.equal((await run(argv, { env: { NSPAWN_RUNNER_CONFIG: "/none" } })).code, 0);
    }
    const { code, err } = await run(["--config", `${folder}/none`, "chroot-list"]);
    assert.equal(code, 1);
    assert.ok(err.includes(`${folder}/none`), err);
  });
});

Deno.test("main() answers the config stage with JSON alone on stdout", async () => {
  const { code, out } = await run(["gitlab-config"]);
  assert.equal(code, 0);
  const answer = JSON.parse(out);
  assert.equal(answer.driver.name, "nspawn-runner");
  assert.equal(answer.builds_dir, "/builds");
  assert.equal(answer.cache_dir, "/cache");
});

Deno.test("main() refuses an unknown image in the config stage, as a failed job", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/config.toml`,
      `store = "${folder}"\ndefinitions = "${folder}"\n`,
    );
    await Deno.mkdir(`${folder}/bookworm/usr`, { recursive: true });
    const env = {
      NSPAWN_RUNNER_CONFIG: `${folder}/config.toml`,
      BUILD_FAILURE_EXIT_CODE: "1",
      CUSTOM_ENV_CI_JOB_ID: "1",
      CUSTOM_ENV_CI_JOB_IMAGE: "trixie",
    };
    const { code, err, out } = await run(["gitlab-config"], { env });
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /bookworm/, "it lists what there is");
  });
});

Deno.test("main() prints the section for GitLab Runner with the token of a file", async () => {
  await inFolder(async (folder) => {
    const token = `${folder}/token`;
    await Deno.writeTextFile(token, "glrt-secret\n");
    const { code, out } = await run(["toml", "--url", "https://g.example", "--token-file", token]);
    assert.equal(code, 0);
    assert.match(out, /token = "glrt-secret"/);
    assert.match(out, /url = "https:\/\/g\.example"/);
    for (const text of ["two words\n", "", "\n", "glrt-secret\nglrt-other\n"]) {
      await Deno.writeTextFile(token, text);
      const bad = await run(["toml", "--token-file", token]);
      assert.deepEqual([bad.code, bad.out], [1, ""]);
      assert.match(
        bad.err,
        /token: it does not hold exactly one token\nWrite only the token into it\n$/,
      );
      assert.ok(!bad.err.includes("secret") && !bad.err.includes("words"));
    }
    const none = await run(["toml", "--token-file", `${folder}/none`]);
    assert.equal(none.code, 1);
    assert.match(none.err, /none: no such file\nWrite the runner's token into it\n$/);
  });
});

Deno.test("main() says in toml that jobs without image need a default", async () => {
  const without = await run(["toml"]);
  assert.equal(without.code, 0);
  assert.match(without.err, /Jobs without image: will fail.*--default-image bookworm/);
  const given = await run(["toml", "--default-image", "bookworm"]);
  assert.equal(given.err, "");
  assert.match(given.out, /prepare_args = \["prepare", "--default-image", "bookworm"\]/);
});

Deno.test("main() names the only chroot in toml, but for the helper", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/config.toml`;
    const settings = `store = "${folder}/store"\ndefinitions = "${folder}/defs"\n`;
    await Deno.writeTextFile(file, settings);
    const made = async (name: string) => {
      await Deno.mkdir(`${folder}/store/${name}/usr`, { recursive: true });
      return await run(["toml", "--config", file]);
    };
    assert.match((await made("helper")).err, /Jobs without image: will fail/);
    const only = await made("bookworm");
    assert.equal(only.err, "");
    assert.match(only.out, /prepare_args = \["prepare", "--default-image", "bookworm"\]/);
    const option = await run(["toml", "--config", file, "--default-image", "x"]);
    assert.match(option.out, /"--default-image", "x"\]/);
    const several = await made("trixie");
    assert.match(several.err, /Jobs without image: will fail/);
    assert.match(several.out, /prepare_args = \["prepare"\]/);
    await Deno.writeTextFile(file, `${settings}default_image = "trixie"\n`);
    await Deno.remove(`${folder}/store/trixie`, { recursive: true });
    const configured = await run(["toml", "--config", file]);
    assert.equal(configured.err, "");
    assert.match(configured.out, /prepare_args = \["prepare"\]/);
  });
});

Deno.test("main() refuses toml where the program is not installed", async () => {
  const recording = recordingHost();
  const self = () => Promise.resolve(["deno", "run", "mod.ts"] as const);
  assert.equal(await main(["toml"], { ...recording.host, self }), 1);
  assert.match(recording.err(), /install\.sh/);
});

Deno.test("main() fails as the host where it cannot remove the exit code of an earlier stage", async () => {
  await inFolder(async (folder) => {
    const { host, env } = await scene(folder);
    await Deno.mkdir(`${env["BUILD_EXIT_CODE_FILE"]!}/full`, { recursive: true });
    assert.equal(await main(["cleanup"], host), 12);
  });
});

Deno.test("main() never prints a response file that it cannot read", async () => {
  await inFolder(async (folder) => {
    const { host, env, err } = await scene(folder);
    await Deno.writeTextFile(env["JOB_RESPONSE_FILE"]!, `{"token": "${SECRET}", "id": `);
    for (const stage of [["gitlab-config"], ["prepare"], ["run", "x"], ["cleanup"]]) {
      assert.equal(await main(["--debug", ...stage], host), 12);
    }
    assert.ok(!err().includes(SECRET));
  });
});
