import assert from "node:assert/strict";
import type { Host } from "../../../src/host/host.ts";
import { stageEnvironment as environmentOf } from "../../../src/gitlab/runner_job.ts";
import {
  commandScript,
  fileScript,
  runnerJob,
  SAMPLE_SCRIPT,
  type SimulatedJob,
  simulatedStages as stagesOf,
} from "../../../src/gitlab/simulation.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const JOB = { id: 5, image: "", script: "", variables: {}, services: [] } as const;

const stageEnvironment = (host: Host, folder: string, job: SimulatedJob) =>
  environmentOf(host, folder, runnerJob(job));

const simulatedStages = (job: SimulatedJob, buildsDir: string) =>
  stagesOf(job, buildsDir).map((stage) => ({ ...stage, script: stage.script("running") }));

/** Words that wrong quoting changes or executes. */
const NASTY = [
  "",
  " ",
  "it's",
  '"double"',
  "$HOME ${HOME} $(id) `id`",
  "back\\slash\\n",
  "two\nlines\n",
  "-n",
  "--",
  "*",
  "~",
  "ünïcode",
  "a;b|c&d>e<f",
  "!history",
  "\t",
];

async function run(shell: string, script: string): Promise<Deno.CommandOutput> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, script);
    // A script that reads its stdin would swallow what it gets here.
    const feed = 'echo swallowed | "$@"';
    return await new Deno.Command("sh", { args: ["-c", feed, "sh", shell, path] }).output();
  } finally {
    await Deno.remove(path);
  }
}

for (const shell of ["bash", "dash"]) {
  Deno.test(`commandScript() passes each word unchanged, by ${shell}`, async () => {
    const { stdout } = await run(shell, commandScript(["printf", "%s\\0", ...NASTY]));
    assert.deepEqual(new TextDecoder().decode(stdout).split("\0").slice(0, -1), NASTY);
  });

  Deno.test(`commandScript() runs programs named like an assignment or a keyword, by ${shell}`, async () => {
    await inFolder(async (folder) => {
      for (const name of ["A=b", "if", "function", "!"]) {
        await Deno.writeTextFile(`${folder}/${name}`, "#!/bin/sh\necho it ran\n", { mode: 0o755 });
        const script = `PATH=${folder}:$PATH\n${commandScript([name, "x"])}`;
        const { stdout } = await run(shell, script);
        assert.equal(new TextDecoder().decode(stdout), "it ran\n", name);
      }
    });
  });

  Deno.test(`simulatedStages() runs the job's script in its folder and without stdin, by ${shell}`, async () => {
    await inFolder(async (folder) => {
      const script = `${commandScript(["printf", "%s\\n", "$x '`"])}\npwd\ncat\nexit 7`;
      const stages = simulatedStages({ ...JOB, script }, folder);
      await run(shell, stages.find(({ name }) => name === "get_sources")!.script);
      const build = stages.find(({ name }) => name === "build_script")!;
      const { code, stdout } = await run(shell, build.script);
      assert.equal(code, 7);
      assert.equal(new TextDecoder().decode(stdout), `$x '\`\n${folder}/simulate/project\n`);
    });
  });
}

for (const shell of ["bash", "dash"]) {
  Deno.test(`fileScript() runs a script with a #! line as a program, by ${shell}`, async () => {
    await inFolder(async (folder) => {
      // A shell whose echo knows escapes would end the text at this one.
      const text = "#!/usr/bin/env -S sh -e\nprintf '%s' \"it's $0\"\n# \\c\nexit 4\n";
      const stages = simulatedStages({ ...JOB, script: fileScript(text) }, folder);
      await run(shell, stages.find(({ name }) => name === "get_sources")!.script);
      const build = stages.find(({ name }) => name === "build_script")!;
      const { code, stdout } = await run(shell, build.script);
      assert.equal(new TextDecoder().decode(stdout), `it's ${folder}/simulate/project.script`);
      assert.equal(code, 4);
    });
  });
}

Deno.test("simulatedStages() ends a script at its first failure, and sets variables of the job", async () => {
  await inFolder(async (folder) => {
    const script = 'echo "$CI_JOB_ID $CI"\nfalse\necho no';
    const stages = simulatedStages({ ...JOB, script }, folder);
    await run("bash", stages.find(({ name }) => name === "get_sources")!.script);
    const build = stages.find(({ name }) => name === "build_script")!;
    const { code, stdout } = await run("bash", build.script);
    assert.deepEqual([code, new TextDecoder().decode(stdout)], [1, "5 true\n"]);
  });
});

Deno.test("simulatedStages() removes file variables at the end, but not the project", async () => {
  await inFolder(async (folder) => {
    const project = `${folder}/simulate/project`;
    await Deno.mkdir(project, { recursive: true });
    await Deno.mkdir(`${project}.tmp`);
    const { name, script } = simulatedStages(JOB, folder).at(-1)!;
    assert.equal(name, "cleanup_file_variables");
    assert.equal((await run("bash", script)).code, 0);
    assert.ok((await Deno.stat(project)).isDirectory);
    await assert.rejects(Deno.stat(`${project}.tmp`), Deno.errors.NotFound);
  });
});

Deno.test("simulatedStages() makes scripts that exit with 1 at SIGTERM, as those of GitLab Runner", async () => {
  for (const { name, script } of simulatedStages(JOB, "/nonexistent")) {
    for (const [place, shell] of [[/^case /m, "$$"], [/(?<=TERM; )eval /, "$BASHPID"]] as const) {
      const told = script.replace(place, (words) => `kill -TERM ${shell}; ${words}`);
      assert.notEqual(told, script);
      const { code, signal } = await run("bash", told);
      assert.deepEqual([code, signal], [1, null], name);
    }
  }
});

Deno.test("fileScript() runs a script without a #! line in the job's shell", () => {
  assert.equal(fileScript("echo a\necho b\n"), "echo a\necho b\n");
});

Deno.test("simulatedStages() has the stages of GitLab Runner in order", () => {
  const names = simulatedStages({ ...JOB, script: SAMPLE_SCRIPT }, "/builds")
    .map(({ name, when }) => `${name} ${when}`);
  assert.deepEqual(names, [
    "prepare_script success",
    "get_sources success",
    "restore_cache success",
    "download_artifacts success",
    "build_script success",
    "after_script always",
    "archive_cache success",
    "archive_cache_on_failure failure",
    "upload_artifacts_on_success success",
    "upload_artifacts_on_failure failure",
    "cleanup_file_variables always",
  ]);
});

Deno.test("stageEnvironment() sets GitLab Runner's variables, and none of an outer job", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({
      env: { PATH: "/bin", CUSTOM_ENV_CI_JOB_TOKEN: "secret", BUILD_FAILURE_EXIT_CODE: "9" },
    });
    const env = await stageEnvironment(host, folder, { ...JOB, image: "bookworm" });
    assert.equal(env["PATH"], "/bin");
    assert.equal(env["CUSTOM_ENV_CI_JOB_TOKEN"], undefined);
    assert.equal(env["BUILD_FAILURE_EXIT_CODE"], "1");
    assert.equal(env["SYSTEM_FAILURE_EXIT_CODE"], "2");
    assert.equal(env["TMPDIR"], folder);
    assert.equal(env["BUILD_EXIT_CODE_FILE"], `${folder}/build_exit_code`);
    assert.equal(env["CUSTOM_ENV_CI_JOB_IMAGE"], "bookworm");
    assert.equal(env["CUSTOM_ENV_CI_JOB_ID"], "5");
    assert.equal(env["CUSTOM_ENV_CI_JOB_SERVICES"], "", "as for a job without services");
    assert.equal(env["CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR"], ".tmp");
    const response = env["JOB_RESPONSE_FILE"]!;
    assert.equal((await Deno.stat(response)).mode! & 0o777, 0o600);
    const { id, image, variables } = JSON.parse(await Deno.readTextFile(response));
    assert.deepEqual([id, image.name], [5, "bookworm"]);
    const server = { key: "CI_SERVER_URL", value: env["CUSTOM_ENV_CI_SERVER_URL"] };
    assert.deepEqual(variables.map(({ key, value }: typeof server) => ({ key, value })), [server]);
  });
});

Deno.test("stageEnvironment() names no image for a job without one", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const env = await stageEnvironment(host, folder, JOB);
    assert.ok(!("CUSTOM_ENV_CI_JOB_IMAGE" in env));
    assert.equal(JSON.parse(await Deno.readTextFile(env["JOB_RESPONSE_FILE"]!)).image.name, "");
  });
});

Deno.test("simulatedStages() and stageEnvironment() pass the variables of a job unchanged", async () => {
  await inFolder(async (folder) => {
    const variables = Object.fromEntries(NASTY.map((value, place) => [`V${place}`, value]));
    const job = { ...JOB, script: 'printf "%s\\0" "$V2" "$V4" "$V6" "$V13"', variables };
    const stages = simulatedStages(job, folder);
    await run("dash", stages.find(({ name }) => name === "get_sources")!.script);
    const { stdout } = await run(
      "dash",
      stages.find(({ name }) => name === "build_script")!.script,
    );
    const said = new TextDecoder().decode(stdout).split("\0").slice(0, -1);
    assert.deepEqual(said, [2, 4, 6, 13].map((place) => NASTY[place]));
    const env = await stageEnvironment(recordingHost().host, folder, job);
    assert.equal(env["CUSTOM_ENV_V4"], NASTY[4]);
    const response = JSON.parse(await Deno.readTextFile(env["JOB_RESPONSE_FILE"]!));
    const own = response.variables.filter(({ key }: { key: string }) => key.startsWith("V"));
    assert.deepEqual(own.map(({ value }: { value: string }) => value), NASTY);
  });
});

Deno.test("stageEnvironment() names a job's services in both places, as GitLab Runner does", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const services = [{ name: "postgres:16", alias: "db, pg" }, { name: "redis", alias: "" }];
    const env = await stageEnvironment(host, folder, { ...JOB, services });
    const response = JSON.parse(await Deno.readTextFile(env["JOB_RESPONSE_FILE"]!));
    assert.deepEqual(response.services, [{ name: "postgres:16", alias: "db, pg" }, {
      name: "redis",
    }]);
    assert.deepEqual(JSON.parse(env["CUSTOM_ENV_CI_JOB_SERVICES"]!), [
      { name: "postgres:16", alias: "db", entrypoint: null, command: null },
      { name: "redis", alias: "", entrypoint: null, command: null },
    ]);
  });
});
