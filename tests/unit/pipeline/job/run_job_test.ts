import assert from "node:assert/strict";
import { denoHost } from "../../../../src/host/deno_host.ts";
import { type JobOptions, runJob } from "../../../../src/pipeline/job/run_job.ts";
import type { JobResult, PipelineCache, PipelineJob } from "../../../../src/pipeline/model.ts";
import { takeSnapshot } from "../../../../src/pipeline/source/snapshot.ts";
import { inFolder } from "../../recording_host.ts";
import { JOB } from "./fixture.ts";

/** Stands for this program: runs the scripts of stages on this host. Its first argument is a folder of its own. */
const DRIVER = `#!/bin/bash
folder=$1 command=$2
echo "$command $4" >>"$folder/calls"
case $command in
  gitlab-config)
    cp "$JOB_RESPONSE_FILE" "$folder/response"
    printf '{"builds_dir": "%s/builds", "job_env": {"NSPAWN_RUNNER_MACHINE": "x"}}' "$folder"
    [ ! -e "$folder/refuse-config" ] || exit "$BUILD_FAILURE_EXIT_CODE"
    ;;
  prepare)
    env | grep -a -e ^NSPAWN_ -e ^CUSTOM_ENV_ >"$folder/environment"
    rm -rf "$folder/builds"
    echo "machine is ready" >&2
    [ ! -e "$folder/lose" ] || exit "$SYSTEM_FAILURE_EXIT_CODE"
    echo "$NSPAWN_RUNNER_INPUT" >"$folder/input"
    ;;
  run)
    sed "s|/run/nspawn-runner/input|$(cat "$folder/input")|g" "$3" >"$folder/script"
    setsid bash "$folder/script" &
    trap 'kill -KILL -- "-$!"' TERM
    wait $!
    code=$?
    [ -n "$BUILD_FAILURE_EXIT_CODE" ] && [ "$code" -ne 0 ] || exit "$code"
    echo "$code" >"$BUILD_EXIT_CODE_FILE"
    exit "$BUILD_FAILURE_EXIT_CODE"
    ;;
esac
`;

/** A project whose jobs run on this host. */
interface Project {
  /** The folder of the driver. */
  readonly folder: string;
  run(
    job: Partial<PipelineJob>,
    options?: Partial<JobOptions>,
  ): Promise<JobResult & { readonly output: string }>;
  read(name: string): Promise<string>;
}

async function withProject(body: (project: Project) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const host = denoHost();
    const [driver, copy, pipelines] = ["driver", "copy", "pipelines"].map((name) =>
      `${folder}/${name}`
    ) as [string, string, string];
    await Promise.all([driver, copy, pipelines].map((path) => Deno.mkdir(path)));
    await Deno.writeTextFile(`${driver}/program`, DRIVER, { mode: 0o755 });
    const script = `git init --quiet -b main && git config user.name x && git config user.email x@x
echo one >README && echo 1 >a.lock && git add . && git commit --quiet -m one`;
    await new Deno.Command("sh", { args: ["-euc", script], cwd: copy }).output();
    const snapshot = await takeSnapshot(host, { workingCopy: copy, folder: pipelines });
    let jobs = 0;
    await body({
      folder: driver,
      read: (name) => Deno.readTextFile(`${driver}/${name}`),
      run: async (job, options = {}) => {
        let output = "";
        const result = await runJob(host, {
          driver: [`${driver}/program`, driver],
          folder: `${pipelines}/jobs/${jobs++}`,
          snapshot,
          job: { ...JOB, ...job },
          pipeline: { CI_PROJECT_PATH: "group/project", CI_PROJECT_NAME: "project" },
          variables: [],
          artifactsOf: [],
          cacheFolder: `${pipelines}/caches`,
          archiver: "tar",
          output: (piece) => void (output += new TextDecoder().decode(piece)),
          keep: false,
          interrupt: new AbortController().signal,
          ...options,
        });
        return { ...result, output };
      },
    });
  });
}

Deno.test("runJob() plays a job from config to cleanup", async () => {
  await withProject(async ({ run, read, folder }) => {
    const done = await run({
      image: { name: "debian:$TAG", entrypoint: [""], docker: { user: "$TAG" } },
      services: [{ name: "pg:$TAG", alias: "db", variables: { A: "$B" } }],
      variables: { TAG: "12" },
      preGetSources: ["echo hook"],
      script: ["cat README; git log --format=%s; pwd"],
    }, { variables: [{ key: "SECRET", value: "s3cret" }], keep: true });
    assert.deepEqual([done.kind, done.code, done.artifacts], ["success", 0, null], done.output);
    assert.match(
      done.output,
      /machine is ready\n[^]*^hook\n[^]*^one\none\n.*\/builds\/group\/project\n/m,
    );
    const calls = (await read("calls")).split("\n").map((line) => line.trim());
    assert.deepEqual(calls, [
      ...["gitlab-config", "prepare", "run get_sources", "run build_script"],
      ...["run cleanup_file_variables", "cleanup", ""],
    ]);
    const { image, services, variables, job_info } = JSON.parse(await read("response"));
    assert.deepEqual([image.name, image.executor_opts.docker.user], ["debian:12", "12"]);
    assert.deepEqual([services[0].name, services[0].variables[0].value], ["pg:12", "$B"]);
    const shown = Object.fromEntries(
      variables.map((one: { key: string; public: boolean }) => [one.key, one.public]),
    );
    assert.deepEqual([shown.TAG, shown.SECRET], [true, false], "services get no secret");
    assert.equal(job_info.project_full_path, "group/project");
    const environment = await read("environment");
    assert.match(environment, /^CUSTOM_ENV_CI_JOB_IMAGE=debian:12$/m);
    assert.match(environment, /^CUSTOM_ENV_CI_PROJECT_DIR=.*\/builds\/group\/project$/m);
    assert.match(environment, /^NSPAWN_RUNNER_KEEP=86400$/m);
    await assert.rejects(Deno.stat((await read("input")).trim()), Deno.errors.NotFound);
    assert.ok(folder !== "");
  });
});

Deno.test("runJob() moves artifacts, reports and variables from job to job", async () => {
  await withProject(async ({ run }) => {
    const artifacts = {
      exclude: [],
      untracked: false,
      when: "always",
      reports: ["r.xml"],
    } as const;
    const made = await run({
      script: ["mkdir out; echo a >out/a; echo X=1 >e; echo r >r.xml; exit 3"],
      artifacts: { ...artifacts, paths: ["out"], dotenv: ["e"] },
    });
    assert.deepEqual([made.kind, made.code, made.dotenv], ["script", 3, { X: "1" }], made.output);
    assert.ok(made.artifacts !== null && made.reports !== null);
    assert.equal((await Deno.stat(made.artifacts)).mode! & 0o777, 0o644);
    const used = await run({ script: ["cat out/a; ls"] }, {
      artifactsOf: [{ job: "made", file: made.artifacts }],
    });
    assert.match(used.output, /^a\nREADME\na.lock\nout\n/m);
    const none = await run({ artifacts: { ...artifacts, paths: ["none"], dotenv: ["none"] } });
    assert.deepEqual([none.kind, none.artifacts, none.reports], ["success", null, null]);
    const wrong = await run({
      script: ["echo wrong >e"],
      artifacts: { ...artifacts, paths: [], dotenv: ["e"] },
    });
    assert.deepEqual([wrong.kind, wrong.code], ["script", 1], wrong.output);
    assert.match(wrong.output, /Cannot read the dotenv report: line 1/);
  });
});

Deno.test("runJob() restores and saves caches", async () => {
  await withProject(async ({ run }) => {
    const cache = { fallbackKeys: [], paths: ["deps"], untracked: false } as const;
    const caches = [
      { ...cache, key: { files: ["*.lock"], prefix: "" }, policy: "pull-push", when: "on_success" },
    ] as const;
    const script = ["cat deps/x 2>/dev/null || { mkdir deps; echo cached >deps/x; }"];
    const first = await run({ caches, script });
    assert.match(first.output, /does not exist yet[^]*Created cache/);
    assert.match((await run({ caches, script })).output, /^cached$/m);
    const others = [
      { ...caches[0], key: "b", fallbackKeys: ["a"], policy: "push" },
      { ...caches[0], key: "c", policy: "pull" },
      { ...caches[0], key: "d", when: "always", paths: ["none"] },
      { ...caches[0], paths: [] },
    ] as const;
    const { output } = await run({ caches: others, script });
    assert.match(output, /Not downloading cache b due to policy[^]*Creating cache b/);
    assert.doesNotMatch(output, /Creating cache c/);
    assert.match(output, /Creating cache d[^]*No files to cache/);
  });
});

Deno.test("runJob() gives each key of a cache a folder, which gc may remove at any time", async () => {
  await withProject(async ({ run, folder }) => {
    const caches = `${folder}/../pipelines/caches`;
    const cache: PipelineCache = {
      ...{ key: "a", fallbackKeys: [], paths: ["deps"], untracked: false },
      ...{ policy: "pull-push", when: "on_success" },
    };
    const script = ["mkdir -p deps && echo x >deps/x"];
    await run({ caches: [cache], script });
    await Deno.utime(`${caches}/a`, 1, 1);
    await run({ caches: [{ ...cache, policy: "pull" }], script });
    assert.ok((await Deno.stat(`${caches}/a`)).mtime!.getTime() > 1000, "it was used");
    const removing = { caches: [cache], script: [...script, `rm -r ${caches}/a`] };
    assert.match((await run(removing)).output, /Created cache/);
    assert.deepEqual(await denoHost().files.list(caches), ["a"]);
    assert.deepEqual(await denoHost().files.list(`${caches}/a`), ["cache.tar"]);
  });
});

Deno.test("runJob() takes what GIT_STRATEGY, GIT_CHECKOUT and GIT_DEPTH ask for", async () => {
  await withProject(async ({ run }) => {
    const files = async (variables: Record<string, string>) =>
      (await run({ variables, script: ["ls -A; git rev-list --count HEAD || true"] })).output;
    assert.doesNotMatch(await files({ GIT_STRATEGY: "none" }), /README/);
    assert.match(await files({ GIT_CHECKOUT: "false" }), /^\.git\n1\n/m);
    assert.match(await files({ GIT_CLONE_PATH: "x" }), /GIT_CLONE_PATH has no effect here/);
    assert.match(await files({ GIT_DEPTH: "1" }), /^\.git\nREADME\na.lock\n1\n/m);
  });
});

Deno.test("runJob() tells apart scripts that fail, hosts that fail, and time", async () => {
  await withProject(async ({ run, folder }) => {
    const late = await run({
      script: ["sleep 5"],
      afterScript: ['echo "after $CI_JOB_STATUS"'],
      variables: { RUNNER_SCRIPT_TIMEOUT: "1s" },
    });
    assert.deepEqual([late.kind, late.code], ["timeout", 1]);
    assert.match(late.output, /^after failed$/m);
    assert.equal((await run({ script: ["sleep 5"], timeout: 1 })).kind, "timeout");
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 500);
    const interrupt = controller.signal;
    assert.equal((await run({ script: ["sleep 5"] }, { interrupt })).kind, "cancelled");
    await Deno.writeTextFile(`${folder}/lose`, "");
    assert.deepEqual([(await run({})).kind, (await run({})).code], ["system", 1]);
    await Deno.writeTextFile(`${folder}/refuse-config`, "");
    assert.equal((await run({})).kind, "script");
  });
});

Deno.test("runJob() tells an executor of archives where gitlab-runner moves them", async () => {
  await withProject(async ({ run, read }) => {
    await run({ artifacts: null }, { archiver: "gitlab-runner" });
    const { artifacts, cache, dependencies } = JSON.parse(await read("response"));
    assert.deepEqual([artifacts, cache, dependencies], [[], [], []]);
    await run({});
    assert.equal(JSON.parse(await read("response")).artifacts, undefined);
  });
});
