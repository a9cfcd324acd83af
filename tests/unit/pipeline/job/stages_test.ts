import assert from "node:assert/strict";
import type { JobStatus, Stage } from "../../../../src/gitlab/runner_job.ts";
import { resultFiles } from "../../../../src/pipeline/job/results.ts";
import { jobStages, type StageSources } from "../../../../src/pipeline/job/stages.ts";
import type { JobVariable, PipelineJob } from "../../../../src/pipeline/model.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { JOB, variablesFor } from "./fixture.ts";

const SHELLS = ["bash", "dash", "busybox"].filter((name) =>
  name !== "busybox" ||
  new Deno.Command("sh", { args: ["-c", "command -v busybox"] }).outputSync().success
);

const NO_SOURCES = {
  archives: [],
  lines: () => ['mkdir -p "$CI_PROJECT_DIR"', 'cd "$CI_PROJECT_DIR"'],
};

function stagesOf(
  folder: string,
  job: Partial<PipelineJob>,
  given: readonly JobVariable[] = [],
  more: Partial<StageSources> = {},
) {
  return jobStages(recordingHost().host, {
    job: { ...JOB, ...job },
    variables: variablesFor(job.variables ?? {}, given, folder),
    config: { buildsDir: folder, shell: "sh" },
    archiver: "tar",
    sources: NO_SOURCES,
    caches: [],
    artifactsOf: [],
    results: resultFiles(folder, "tar"),
    output: () => {},
    archiveLimit: undefined,
    ...more,
  });
}

/** Runs stages by a shell, and returns what they print together and how the last one ends. */
async function play(
  shell: string,
  folder: string,
  stages: readonly Stage[],
  status: JobStatus = "running",
): Promise<{ code: number; output: string }> {
  let output = "";
  let code = 0;
  for (const stage of stages) {
    await Deno.writeTextFile(`${folder}/script`, stage.script(status));
    const words = [...(shell === "busybox" ? ["busybox", "sh"] : [shell]), `${folder}/script`];
    const ended = await new Deno.Command(words[0]!, {
      args: words.slice(1),
      env: { PATH: Deno.env.get("PATH")!, HOME: folder },
      clearEnv: true,
      stdin: "null",
    }).output();
    output += new TextDecoder().decode(ended.stdout) + new TextDecoder().decode(ended.stderr);
    code = ended.code;
  }
  return { code, output };
}

/** A value that wrong quoting changes or executes. */
const ODD = 'it\'s "odd" `x` \\n \\ ü\nsecond line $(id)';

for (const shell of SHELLS) {
  Deno.test(`jobStages() runs before_script and script in one shell, by ${shell}`, async () => {
    await inFolder(async (folder) => {
      const { output, code } = await play(
        shell,
        folder,
        stagesOf(folder, {
          beforeScript: ["own=kept", "", "  cd sub 2>/dev/null || mkdir sub && cd sub  "],
          script: ['printf "<%s>" "$own" "$ODD" "$(pwd)"', 'cat "$CONF"', "exit 7", "echo never"],
        }, [{ key: "ODD", value: ODD, raw: true }, { key: "CONF", value: ODD, file: true }]).slice(
          0,
          2,
        ),
      );
      assert.equal(code, 7);
      assert.ok(output.includes(`<kept><${ODD}><${folder}/group/project/sub>`), output);
      assert.ok(output.includes(`$ exit 7`), output);
      assert.ok(!output.includes("never"), output);
      assert.equal(output.split(ODD).length, 3, output);
    });
  });

  Deno.test(`jobStages() ends a script at its first failure, by ${shell}`, async () => {
    await inFolder(async (folder) => {
      const stages = (...script: string[]) => stagesOf(folder, { script }).slice(0, 2);
      const { code, output } = await play(shell, folder, stages("echo a\nfalse\necho b", "echo c"));
      assert.equal(code, 1);
      assert.ok(output.endsWith("# collapsed multi-line command\x1b[0;m\na\n"), output);
      if (shell !== "dash") {
        assert.equal((await play(shell, folder, stages("false | true"))).code, 1);
      }
      assert.equal((await play(shell, folder, stages("read x || exit 4"))).code, 4, "no stdin");
    });
  });

  Deno.test(`jobStages() passes on variables that a stage leaves, by ${shell}`, async () => {
    await inFolder(async (folder) => {
      const stages = stagesOf(folder, {
        script: ['echo "LEFT=a b" >>"$GITLAB_ENV"'],
        afterScript: ['echo "<$LEFT> $CI_JOB_STATUS"'],
      }, [{ key: "CONF", value: "secret", file: true }]);
      const { output } = await play(shell, folder, stages, "failed");
      assert.match(output, /<a b> failed\n$/);
      assert.deepEqual(
        await Array.fromAsync(Deno.readDir(`${folder}/group/project.tmp`)),
        [],
        "no file with a variable is left",
      );
    });
  });
}

Deno.test("jobStages() has the stages of GitLab Runner that have something to do", () => {
  const names = (job: Partial<PipelineJob>) =>
    stagesOf("/builds", job).map(({ name, when }) => `${name} ${when}`);
  assert.deepEqual(names({}), [
    "get_sources success",
    "build_script success",
    "cleanup_file_variables always",
  ]);
  const artifacts = { paths: ["a"], exclude: [], untracked: false };
  assert.deepEqual(
    names({
      afterScript: ["true"],
      artifacts: { ...artifacts, when: "always", dotenv: ["x"], reports: ["y"] },
    }),
    [
      "get_sources success",
      "build_script success",
      "after_script always",
      "upload_artifacts_on_success success",
      "upload_artifacts_on_failure failure",
      "upload_artifacts_reports always",
      "upload_artifacts_dotenv always",
      "cleanup_file_variables always",
    ],
  );
});

Deno.test("jobStages() limits scripts by their variables", () => {
  const limits = (variables: Record<string, string>) =>
    stagesOf("/builds", { variables, afterScript: ["true"] }).slice(1, 3).map(({ limit }) => limit);
  assert.deepEqual(limits({}), [undefined, 300]);
  const given = { RUNNER_SCRIPT_TIMEOUT: "1h1m1s", RUNNER_AFTER_SCRIPT_TIMEOUT: "90s" };
  assert.deepEqual(limits(given), [3661, 90]);
  assert.deepEqual(limits({ RUNNER_SCRIPT_TIMEOUT: "soon" }), [undefined, 300]);
});

Deno.test("jobStages() limits archives by the free space of the host, and says so", async () => {
  const artifacts = { paths: ["a"], exclude: [], untracked: false, dotenv: [], reports: [] };
  let output = "";
  const [stage] = stagesOf(
    "/nonexistent",
    { artifacts: { ...artifacts, when: "on_success" } },
    [],
    { archiveLimit: 1000, output: (line) => void (output += line) },
  ).filter(({ name }) => name.startsWith("upload"));
  assert.equal(stage!.stdoutLimit, 1000);
  await stage!.onEnd!(153);
  assert.match(output, /does not fit/);
});
