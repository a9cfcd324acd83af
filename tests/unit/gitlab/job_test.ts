import assert from "node:assert/strict";
import { Failure } from "../../../src/failure.ts";
import { type Job, readJob } from "../../../src/gitlab/job.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

/** Variables that a job can set. */
const OVERRIDDEN = {
  CUSTOM_ENV_CI_JOB_ID: "666",
  CUSTOM_ENV_CI_JOB_IMAGE: "evil",
  CUSTOM_ENV_CI_SERVER_URL: "https://evil.example",
};

const TOKEN = "glcbt-secret";

/** The trusted copy, as GitLab Runner writes it. */
function response(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 70002,
    token: TOKEN,
    image: { name: "registry.example.org/group/bookworm" },
    job_info: { project_id: 42, instance_uuid: "00000000-0000-4000-8000-000000000001" },
    git_info: { repo_url: `https://gitlab-ci-token:${TOKEN}@git.example:8443/group/project.git` },
    variables: [
      { key: "CI_SERVER_URL", value: "https://git.example" },
      { key: "CI_SERVER_URL", value: "https://evil.example" },
    ],
    ...changes,
  };
}

async function jobOf(
  content: unknown,
  env: Record<string, string> = OVERRIDDEN,
): Promise<Job | null> {
  let job: Job | null = null;
  await inFolder(async (folder) => {
    const path = `${folder}/response.json`;
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await Deno.writeTextFile(path, text);
    job = await readJob(recordingHost({ env: { ...env, JOB_RESPONSE_FILE: path } }).host);
  });
  return job;
}

Deno.test("readJob() reads the response file, whatever variables a job sets", async () => {
  assert.deepEqual(await jobOf(response()), {
    id: "70002",
    image: "registry.example.org/group/bookworm",
    server: "00000000-0000-4000-8000-000000000001",
    url: "https://git.example:8443",
    project: "42",
    projectPath: undefined,
    ref: "",
    refKind: undefined,
    isProtected: undefined,
    timeout: undefined,
    services: [],
    overrides: {},
    movesFiles: false,
    imageOptions: { entrypoint: null, pullPolicies: [], user: null, platform: null },
    credentials: [],
    dockerAuthConfig: undefined,
  });
});

Deno.test("readJob() reads NSPAWN_ variables, the last of a name, from file and environment", async () => {
  const variables = [
    { key: "NSPAWN_BOOT", value: "true" },
    { key: "NSPAWN_MEMORY_MAX", value: "2G" },
    { key: "NSPAWN_BOOT", value: "false" },
    { key: "MY_NSPAWN_BOOT", value: "x" },
    { key: "NSPAWN_TASKS_MAX", value: 7 },
    null,
  ];
  const overrides = { NSPAWN_BOOT: "false", NSPAWN_MEMORY_MAX: "2G" };
  assert.deepEqual((await jobOf(response({ variables })))?.overrides, overrides);
  const env = {
    CUSTOM_ENV_CI_JOB_ID: "1",
    CUSTOM_ENV_NSPAWN_BOOT: "false",
    CUSTOM_ENV_NSPAWN_MEMORY_MAX: "2G",
  };
  assert.deepEqual((await readJob(recordingHost({ env }).host))?.overrides, overrides);
});

Deno.test("readJob() reads protection, timeout, services and artifacts", async () => {
  const job = await jobOf(response({
    git_info: { protected: true },
    runner_info: { timeout: 3600 },
    services: [{ name: "postgres:15", alias: "db" }, { name: "redis" }, {}],
    artifacts: [{ paths: ["x"] }],
  }));
  assert.deepEqual([job?.isProtected, job?.timeout], [true, 3600]);
  assert.deepEqual(job?.services.map(({ name, alias }) => [name, alias]), [["postgres:15", "db"], [
    "redis",
    "",
  ]]);
  assert.ok(job?.movesFiles);
});

Deno.test("readJob() finds what needs gitlab-runner in the machine: artifacts, a cache, artifacts of other jobs", async () => {
  const earlier = { id: 1, name: "earlier", token: TOKEN };
  const needs: readonly (readonly [Record<string, unknown>, boolean])[] = [
    [{ artifacts: [{}] }, true],
    [{ cache: [{}] }, true],
    [{ dependencies: [{ ...earlier, artifacts_file: { filename: "a.zip", size: 1 } }] }, true],
    [{ dependencies: [{ ...earlier, artifacts_file: { filename: "", size: 0 } }] }, false],
    [{ dependencies: [earlier] }, false],
    [{ artifacts: [], cache: null, dependencies: null }, false],
  ];
  for (const [fields, needed] of needs) {
    assert.equal((await jobOf(response(fields)))?.movesFiles, needed, JSON.stringify(fields));
  }
});

Deno.test("readJob() accepts numbers only as a project id, which becomes part of a path", async () => {
  for (const project_id of ["42", "../x", -1, 1.5, null, undefined, 2 ** 60]) {
    assert.equal((await jobOf(response({ job_info: { project_id } })))?.project, undefined);
  }
});

Deno.test("readJob() reads no image from the environment if the response has none", async () => {
  for (const image of [{ name: "" }, {}, null]) {
    assert.equal((await jobOf(response({ image })))?.image, undefined);
  }
});

Deno.test("readJob() identifies a server by GitLab's own first variable, else by the origin of the repository", async () => {
  const withoutUuid = response({ job_info: null });
  assert.equal((await jobOf(withoutUuid))?.server, "https://git.example");
  const withoutVariables = response({ job_info: {}, variables: [] });
  assert.equal((await jobOf(withoutVariables))?.server, "https://git.example:8443");
  const bare = response({ job_info: {}, variables: null, git_info: null });
  assert.equal((await jobOf(bare))?.server, undefined);
});

Deno.test("readJob() never quotes a response that it cannot read", async () => {
  const damaged = [
    JSON.stringify(response()).slice(0, -5),
    JSON.stringify(response({ id: "../../etc" })),
    JSON.stringify(response({ id: -1 })),
    "[]",
    "null",
    "",
  ];
  for (const text of damaged) {
    await assert.rejects(jobOf(text), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, "host");
      assert.ok(!`${error.message} ${error.hint}`.includes(TOKEN));
      return true;
    });
  }
});

Deno.test("readJob() reads the environment only without a response file", async () => {
  const missing = { ...OVERRIDDEN, JOB_RESPONSE_FILE: "/nonexistent/response.json" };
  await assert.rejects(readJob(recordingHost({ env: missing }).host), { kind: "host" });
  const services = JSON.stringify([{ name: "redis", alias: "x" }, "postgres"]);
  const { host } = recordingHost({
    env: { ...OVERRIDDEN, CUSTOM_ENV_CI_JOB_SERVICES: services },
  });
  const job = await readJob(host);
  assert.deepEqual([job?.id, job?.image, job?.server], ["666", "evil", "https://evil.example"]);
  assert.deepEqual(job?.services.map(({ name, alias }) => [name, alias]), [["redis", "x"], [
    "postgres",
    "",
  ]]);
  assert.equal(job?.project, undefined, "a project that a job names itself shares no cache");
  const old = recordingHost({
    env: { CUSTOM_ENV_CI_JOB_ID: "7", CUSTOM_ENV_CI_JOB_IMAGE: "", CUSTOM_ENV_CI_SERVER_URL: "" },
  });
  const bare = await readJob(old.host);
  assert.deepEqual([bare?.id, bare?.image, bare?.server], ["7", undefined, undefined]);
});

Deno.test("readJob() is null without a job", async () => {
  assert.equal(await readJob(recordingHost().host), null);
  assert.equal(await readJob(recordingHost({ env: { CUSTOM_ENV_CI_JOB_ID: "" } }).host), null);
});

Deno.test("readJob() reads protection from the response, else from GitLab's variable, which no job can make true", async () => {
  const KEY = "CI_COMMIT_REF_PROTECTED";
  const cases: readonly (readonly [unknown, readonly string[], boolean | undefined])[] = [
    [true, ["false"], true],
    [false, ["true"], false],
    [undefined, ["true"], true],
    [undefined, ["false"], false],
    [null, ["true"], true],
    [null, ["false", "true"], false],
    [null, ["true", "false"], false],
    [undefined, [], undefined],
    ["true", [], undefined],
  ];
  for (const [field, values, expected] of cases) {
    const variables = values.map((value) => ({ key: KEY, value }));
    const job = await jobOf(response({ git_info: { ref: "main", protected: field }, variables }));
    assert.deepEqual([job?.isProtected, job?.ref], [expected, "main"], `${field} ${values}`);
  }
});

Deno.test("readJob() reads what the job asks for with its image, as GitLab Runner writes it again", async () => {
  const docker = { platform: "linux/arm64", user: "1000:1000" };
  const image = {
    name: "x",
    entrypoint: ["sh", "-c"],
    pull_policy: ["always", "if-not-present"],
    executor_opts: { docker, kubernetes: { user: "7" } },
  };
  assert.deepEqual((await jobOf(response({ image })))?.imageOptions, {
    entrypoint: ["sh", "-c"],
    pullPolicies: ["always", "if-not-present"],
    user: "1000:1000",
    platform: "linux/arm64",
  });
  const empty = {
    name: "x",
    entrypoint: [],
    executor_opts: { docker: { platform: "", user: "" } },
  };
  const none = { entrypoint: null, pullPolicies: [], user: null, platform: null };
  assert.deepEqual((await jobOf(response({ image: empty })))?.imageOptions, none);
  const odd = { name: "x", entrypoint: "sh", pull_policy: [1], executor_opts: { docker: null } };
  assert.deepEqual((await jobOf(response({ image: odd })))?.imageOptions, none);
});

Deno.test("readJob() reads the logins for registries, and no other credentials", async () => {
  const login = { url: "registry.example:5050", username: "gitlab-ci-token", password: TOKEN };
  const credentials = [
    { type: "registry", ...login },
    { type: "other", ...login },
    { type: "registry", url: "registry.example", username: "", password: TOKEN },
    null,
  ];
  assert.deepEqual((await jobOf(response({ credentials })))?.credentials, [login]);
  assert.deepEqual((await jobOf(response({ credentials: null })))?.credentials, []);
});

Deno.test("readJob() reads DOCKER_AUTH_CONFIG expanded, that of GitLab Runner's configuration, and the content of a file", async () => {
  const key = "DOCKER_AUTH_CONFIG";
  const env = { CUSTOM_ENV_DOCKER_AUTH_CONFIG: "expanded" };
  const read = async (variables: unknown, given: Record<string, string> = env) =>
    (await jobOf(response({ variables }), given))?.dockerAuthConfig;
  assert.equal(await read([{ key, value: "$X" }]), "expanded");
  assert.equal(await read([]), "expanded", "of [[runners]] environment");
  assert.equal(await read([{ key, value: "text" }], {}), "text");
  assert.equal(await read([{ key, value: "first" }, { key, value: "last" }], {}), "last");
  const path = { CUSTOM_ENV_DOCKER_AUTH_CONFIG: "/builds/x.tmp/DOCKER_AUTH_CONFIG" };
  assert.equal(await read([{ key, value: "text", file: true }], path), "text");
  assert.equal(await read([], {}), undefined);
  const byHand = recordingHost({ env: { ...env, CUSTOM_ENV_CI_JOB_ID: "1" } });
  assert.equal((await readJob(byHand.host))?.dockerAuthConfig, "expanded");
});

Deno.test("readJob() has the path of the project and the kind of ref, as far as a job cannot set them", async () => {
  const told = async (changes: Record<string, unknown>) => {
    const { projectPath, refKind } = (await jobOf(response(changes)))!;
    return [projectPath, refKind];
  };
  const job_info = { project_full_path: "group/sub/project" };
  const variables = [
    { key: "CI_PROJECT_PATH", value: "group/own" },
    { key: "CI_PROJECT_PATH", value: "evil/project" },
  ];
  const git = (ref: string, ref_type?: unknown) => ({ git_info: { ref, ref_type } });
  assert.deepEqual(await told({ job_info, variables, ...git("main", "branch") }), [
    ...["group/sub/project", "branch"],
  ]);
  assert.deepEqual(await told({ variables, ...git("v1", "tag") }), ["group/own", "tag"]);
  const mergeRequest = git("refs/merge-requests/7/head", "branch");
  assert.deepEqual(await told(mergeRequest), [undefined, "merge request"]);
  const odd = { job_info: { project_full_path: "a b/\u001b[1m" }, ...git("x", "other") };
  assert.deepEqual(await told(odd), [undefined, undefined]);
});
