import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import { type Asked, read, readJob, testReader } from "./expanded.ts";

/** Returns the names of the jobs that run. */
async function running(file: string, asked?: Asked): Promise<string[]> {
  return (await read(file, asked)).jobs.filter(({ when }) => when !== "never")
    .map(({ name }) => name);
}

testReader("expand() makes the jobs of a matrix, with GitLab's names", async () => {
  const { jobs } = await read(`
build:
  script: make
  parallel:
    matrix:
      - OS: [linux, mac]
        V: [1, 2]
      - OS: bsd
`);
  assert.deepEqual(jobs.map(({ name }) => name), [
    "build: [linux, 1]",
    "build: [linux, 2]",
    "build: [mac, 1]",
    "build: [mac, 2]",
    "build: [bsd]",
  ]);
  assert.deepEqual(jobs[2]!.variables, { OS: "mac", V: "1" });
  assert.deepEqual(jobs[2]!.node, { index: 3, total: 5 });
});

testReader("expand() makes parallel jobs", async () => {
  const { jobs } = await read("{test: {script: make, parallel: 2}, lint: {script: make}}");
  assert.deepEqual(jobs.map(({ name, node }) => [name, node]), [
    ["test 1/2", { index: 1, total: 2 }],
    ["test 2/2", { index: 2, total: 2 }],
    ["lint", null],
  ]);
});

testReader("expand() gives a job the defaults", async () => {
  const job = await readJob(`
default:
  image: {name: alpine, pull_policy: if-not-present, docker: {user: "1000", platform: linux/arm64}}
  services: [redis]
  before_script: [before]
  after_script: [after]
  cache: {paths: [c]}
  artifacts: {paths: [a]}
  timeout: 1h 30m
  retry: {max: 2, when: script_failure}
  interruptible: false
  hooks: {pre_get_sources_script: [hook]}
build:
  script: make
`);
  assert.deepEqual(job.image, {
    name: "alpine",
    pull_policy: ["if-not-present"],
    docker: { user: "1000", platform: "linux/arm64" },
  });
  assert.deepEqual(job.services, [{ name: "redis" }]);
  assert.deepEqual([job.beforeScript, job.afterScript, job.preGetSources], [
    ["before"],
    ["after"],
    ["hook"],
  ]);
  assert.deepEqual(job.caches[0]!.paths, ["c"]);
  assert.deepEqual(job.artifacts!.paths, ["a"]);
  assert.equal(job.timeout, 5400);
  assert.deepEqual(job.retry, { max: 2, when: ["script_failure"], exitCodes: [] });
  assert.equal(job.interruptible, false);
});

testReader("expand() follows inherit:", async () => {
  const { jobs } = await read(`
default: {image: alpine, timeout: 10m}
variables: {A: a, B: b}
all: {script: make}
none: {script: make, inherit: {default: false, variables: false}}
some: {script: make, inherit: {default: [timeout], variables: [B]}}
`);
  assert.deepEqual(jobs.map(({ image, timeout, variables }) => [image?.name, timeout, variables]), [
    ["alpine", 600, { A: "a", B: "b" }],
    [undefined, 3600, {}],
    [undefined, 600, { B: "b" }],
  ]);
});

testReader("expand() takes keywords at the top of the file as defaults", async () => {
  const job = await readJob("{image: alpine, before_script: [b], job: {script: make}}");
  assert.deepEqual([job.image, job.beforeScript], [{ name: "alpine" }, ["b"]]);
});

testReader("expand() extends, and resolves anchors, merge keys and !reference", async () => {
  const job = await readJob(`
.base: &base
  variables: {A: base, B: base}
  script: [base]
.more:
  extends: .base
  variables: {B: more}
  after_script: [[after], more]
build:
  extends: [.more]
  variables: {C: "1"}
  before_script:
    - !reference [.base, script]
    - own
  cache:
    <<: &cache {key: k}
    paths: [c]
`);
  assert.deepEqual(job.variables, { A: "base", B: "more", C: "1" });
  assert.deepEqual([job.beforeScript, job.script, job.afterScript], [
    ["base", "own"],
    ["base"],
    ["after", "more"],
  ]);
  assert.equal(job.caches[0]!.key, "k");
});

testReader("expand() includes files of the working copy, new ones too", async () => {
  const { jobs, stages } = await read(
    `
include:
  - local: /ci/jobs.yml
  - ci/*.more.yml
  - local: "ci/\${KIND}.yml"
build: {script: [own]}
`,
    {
      variables: { KIND: "ä b" },
      files: {
        "ci/jobs.yml": "{stages: [one, two], build: {script: [theirs], stage: two}}",
        "ci/x.more.yml": "lint: {script: [lint], stage: one}",
        "ci/ä b.yml": "docs: {script: [docs], stage: one}",
      },
    },
  );
  assert.deepEqual(stages, [".pre", "one", "two", ".post"]);
  assert.deepEqual(jobs.map(({ name, script, stage }) => [name, script, stage]), [
    ["build", ["own"], "two"],
    ["lint", ["lint"], "one"],
    ["docs", ["docs"], "one"],
  ]);
});

testReader("expand() fills in the inputs of an included file", async () => {
  const jobs = await running("include: [{local: t.yml, inputs: {name: one}}]", {
    files: {
      "t.yml":
        'spec: {inputs: {name: {}, image: {default: alpine}}}\n---\n"$[[ inputs.name ]]": {script: make, image: "$[[ inputs.image ]]"}\n',
    },
  });
  assert.deepEqual(jobs, ["one"]);
});

testReader("expand() warns of functions of inputs, and of many jobs in one line", async () => {
  const { warnings } = await read(
    "include: [{local: t.yml, inputs: {name: one}}]\n" +
      [..."abcdefg"].map((name) => `${name}: {script: m, tags: [x]}\n`).join(""),
    {
      files: {
        "t.yml":
          'spec: {inputs: {name: {}}}\n---\n"$[[ inputs.name | truncate(0,1) ]]": {script: make}\n',
      },
    },
  );
  assert.deepEqual(warnings, [
    "t.yml: functions of inputs are not applied: truncate(0,1)",
    'tags is not supported: the job runs on this host ("a", "b", "c", "d", "e" and 2 more)',
  ]);
});

testReader("expand() evaluates rules:if with all variables", async () => {
  const file = `
variables: {MODE: fast}
fast: {script: m, rules: [{if: $MODE == "fast"}]}
slow: {script: m, rules: [{if: $MODE == "slow"}]}
branch: {script: m, rules: [{if: '$CI_COMMIT_BRANCH =~ /^ma/ && $TAG == null'}]}
own: {script: m, variables: {OWN: "1"}, rules: [{if: $OWN}]}
unset: {script: m, rules: [{if: $NOTHING}]}
excluded: {script: m, rules: [{if: '$MODE', when: never}, {when: always}]}
`;
  assert.deepEqual(await running(file), ["fast", "branch", "own"]);
  assert.deepEqual(await running(file, { variables: { MODE: "slow", TAG: "1" } }), ["slow", "own"]);
});

testReader("expand() compares variables with expand: false as they are", async () => {
  const file = `
variables: { R: { value: 'a$b', expand: false } }
matches: { script: m, rules: [{ if: '$R =~ /^a.b$/' }] }
other: { script: m, rules: [{ if: '$R =~ /^a..b$/' }] }
`;
  assert.deepEqual(await running(file), ["matches"]);
  assert.equal((await readJob(file)).variables["R"], "a$$b", "its sign stays when it is expanded");
});

testReader("expand() takes everything of the rule that matches", async () => {
  const job = await readJob(
    `
first: {script: m}
job:
  script: m
  needs: []
  variables: {A: job, B: job}
  rules:
    - if: $CI_COMMIT_BRANCH == "other"
    - if: $CI_COMMIT_BRANCH == "main"
      when: delayed
      start_in: 5 minutes
      allow_failure: true
      variables: {A: rule}
      needs: [first]
`.replace(/^first.*\n/m, "").concat("first: {script: m, stage: build}\n"),
  );
  assert.deepEqual(
    [job.when, job.startIn, job.allowFailure, job.variables],
    ["delayed", 300, true, { A: "rule", B: "job" }],
  );
  assert.deepEqual(job.needs, [{ job: "first", artifacts: true, optional: false }]);
});

testReader("expand() evaluates rules of each job of a matrix by its own variables", async () => {
  const { jobs } = await read(
    `
first: {script: m, stage: build}
job:
  script: m
  parallel: {matrix: [{OS: [a, b]}]}
  rules:
    - if: $OS == "a"
      needs: [first]
    - exists: ["$OS"]
`,
    { files: { b: "" } },
  );
  assert.deepEqual(jobs.map(({ name, when, needs }) => [name, when, needs?.length]), [
    ["first", "on_success", undefined],
    ["job: [a]", "on_success", 1],
    ["job: [b]", "on_success", undefined],
  ]);
});

testReader("expand() lets manual jobs fail, but not those of rules", async () => {
  const { jobs } = await read(`
plain: {script: m, when: manual}
blocking: {script: m, when: manual, allow_failure: false}
ruled: {script: m, rules: [{when: manual}]}
codes: {script: m, allow_failure: {exit_codes: [3, 4]}}
code: {script: m, allow_failure: {exit_codes: 5}}
rule-codes: {script: m, allow_failure: true, rules: [{when: on_failure, allow_failure: false}]}
`);
  assert.deepEqual(jobs.map(({ name, when, allowFailure }) => [name, when, allowFailure]), [
    ["plain", "manual", true],
    ["blocking", "manual", false],
    ["ruled", "manual", false],
    ["codes", "on_success", [3, 4]],
    ["code", "on_success", [5]],
    ["rule-codes", "on_failure", false],
  ]);
});

testReader(
  "expand() compares rules:changes with the changed files, where these are known",
  async () => {
    const file = `
docs: {script: m, rules: [{changes: ["docs/**/*"]}]}
code: {script: m, rules: [{changes: {paths: ["src/*.c"]}}]}
`;
    assert.deepEqual(await running(file, { changes: ["docs/a/b.md"] }), ["docs"]);
    assert.deepEqual(await running(file, { changes: [] }), []);
    assert.deepEqual(await running(file, { changes: null }), ["docs", "code"]);
  },
);

testReader("expand() looks for the files of rules:exists", async () => {
  const file = `
there: {script: m, rules: [{exists: ["**/Makefile"]}]}
gone: {script: m, rules: [{exists: {paths: [no]}}]}
`;
  assert.deepEqual(await running(file, { files: { "a/Makefile": "" } }), ["there"]);
});

testReader("expand() follows only: and except:", async () => {
  const { jobs } = await read(
    `
a: {script: m, only: [main]}
b: {script: m, only: [tags]}
c: {script: m, only: {variables: [$MODE == "slow"]}, when: manual}
d: {script: m, except: {changes: [docs/*]}}
`,
    { variables: { MODE: "slow" }, changes: ["docs/a"] },
  );
  assert.deepEqual(jobs.map(({ name, when, allowFailure }) => [name, when, allowFailure]), [
    ["a", "on_success", false],
    ["b", "never", false],
    ["c", "manual", true],
    ["d", "never", false],
  ]);
});

testReader("expand() follows workflow:rules", async () => {
  const file = `
workflow:
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
      variables: {TARGET: production}
    - if: $CI_COMMIT_BRANCH == "wip"
      when: never
job: {script: m, rules: [{if: $TARGET == "production"}]}
`;
  const { jobs } = await read(file);
  assert.deepEqual([jobs[0]!.when, jobs[0]!.variables], ["on_success", { TARGET: "production" }]);
  for (const branch of ["wip", "other"]) {
    await assert.rejects(
      read(file, { predefined: { CI_COMMIT_BRANCH: branch } }),
      /^Failure: Cannot run the pipeline of \.gitlab-ci\.yml: its workflow: rules exclude it$/,
    );
  }
});

testReader("expand() resolves needs to the jobs of a matrix", async () => {
  const { jobs } = await read(`
build: {stage: build, script: m, parallel: {matrix: [{OS: [a, b], V: [1, 2]}]}}
all: {script: m, needs: [build]}
one: {script: m, needs: ["build: [a, 2]"]}
some: {script: m, needs: [{job: build, artifacts: false, parallel: {matrix: [{OS: b, V: [1, 2]}]}}]}
each:
  script: m
  parallel: {matrix: [{OS: [a, b]}]}
  needs: [{job: build, parallel: {matrix: [{OS: ["$[[ matrix.OS ]]"], V: 1}]}}]
none: {script: m, needs: [{job: gone, optional: true}]}
start: {script: m, needs: []}
`);
  const needs = Object.fromEntries(jobs.map((job) => [job.name, job.needs]));
  const names = (name: string) => needs[name]!.map(({ job }) => job);
  assert.deepEqual(names("all"), jobs.slice(0, 4).map(({ name }) => name));
  assert.deepEqual(names("one"), ["build: [a, 2]"]);
  assert.deepEqual(names("some"), ["build: [b, 1]", "build: [b, 2]"]);
  assert.equal(needs["some"]![0]!.artifacts, false);
  assert.deepEqual(names("each: [a]"), ["build: [a, 1]"]);
  assert.deepEqual(names("each: [b]"), ["build: [b, 1]"]);
  assert.deepEqual(needs["none"], [{ job: "gone", artifacts: true, optional: true }]);
  assert.deepEqual([needs["start"], needs["build: [a, 1]"]], [[], null]);
});

testReader("expand() keeps all keys of caches, services and artifacts", async () => {
  const job = await readJob(`
variables: {POLICY: pull}
job:
  script: m
  cache:
    - key: {files: [a.lock, b.lock], prefix: $CI_JOB_NAME}
      paths: [c]
      policy: $POLICY
    - {key: k, fallback_keys: [f, g], untracked: true, when: always}
  services:
    - name: postgres:16
      alias: db
      entrypoint: [e]
      command: [c, d]
      variables: {P: 1}
      pull_policy: [always, if-not-present]
      docker: {user: me}
  artifacts:
    paths: [a]
    exclude: [b]
    untracked: true
    when: always
    expire_in: 1 week
    reports: {dotenv: build.env, junit: [j.xml], coverage_report: {coverage_format: cobertura, path: c.xml}}
`);
  assert.deepEqual(job.caches, [
    {
      ...{ key: { files: ["a.lock", "b.lock"], prefix: "$CI_JOB_NAME" }, fallbackKeys: [] },
      ...{ paths: ["c"], untracked: false, policy: "pull", when: "on_success" },
    },
    {
      ...{ key: "k", fallbackKeys: ["f", "g"], paths: [], untracked: true },
      ...{ policy: "pull-push", when: "always" },
    },
  ]);
  assert.deepEqual(job.services, [{
    ...{ name: "postgres:16", alias: "db", entrypoint: ["e"], command: ["c", "d"] },
    ...{ variables: { P: "1" }, pull_policy: ["always", "if-not-present"] },
    docker: { user: "me" },
  }]);
  assert.deepEqual(job.artifacts, {
    ...{ paths: ["a"], exclude: ["b"], untracked: true, when: "always" },
    ...{ dotenv: ["build.env"], reports: ["j.xml", "c.xml"] },
  });
});

testReader("expand() reads all else of a job", async () => {
  const { jobs } = await read(`
job:
  stage: deploy
  script: m
  dependencies: []
  retry: 1
  environment: {name: review/$CI_COMMIT_REF_SLUG, url: "https://x"}
  resource_group: prod
other: {script: m, stage: .post, environment: live, retry: {max: 1, exit_codes: [7]}}
`);
  const [job, other] = jobs;
  assert.deepEqual([job!.stage, job!.dependencies, job!.retry.max, job!.resourceGroup], [
    "deploy",
    [],
    1,
    "prod",
  ]);
  assert.deepEqual(job!.environment, { name: "review/$CI_COMMIT_REF_SLUG", url: "https://x" });
  assert.deepEqual([other!.stage, other!.environment], [".post", { name: "live", url: "" }]);
  assert.deepEqual(other!.retry, { max: 1, when: [], exitCodes: [7] });
});

testReader("expand() reads no files and comments of gitlab-ci-local's own", async () => {
  const { jobs } = await read("# @Interactive\njob:\n  script: m\n", {
    files: {
      ".gitlab-ci-local.yml": "other: {script: m}",
      ".gitlab-ci-local-variables.yml": "A: b",
      ".gitlab-ci-local-env": "FILE=other.yml",
    },
  });
  assert.deepEqual(jobs.map(({ name, variables }) => [name, variables]), [["job", {}]]);
});

testReader("expand() reads another file", async () => {
  const asked = { file: "ci/other.yml", files: { "ci/other.yml": "other: {script: m}" } };
  assert.deepEqual(await running("job: {script: m}", asked), ["other"]);
});

const MISTAKES: Readonly<Record<string, readonly [string, RegExp, Asked?]>> = {
  "no YAML": ["job:\n  script: [m\n", /^Cannot read \.gitlab-ci\.yml line 3: /],
  "no YAML in an included file": [
    "include: a.yml\n",
    /^Cannot read a\.yml line 2: /,
    { files: { "a.yml": "a: b\n c: d\n" } },
  ],
  "no file": [
    "",
    /^Cannot read no\.yml: the working copy has no such file$/,
    { file: "no.yml" },
  ],
  "an empty file": ["", /^Cannot read \.gitlab-ci\.yml: /],
  "a list": ["- a\n", /^Cannot read \.gitlab-ci\.yml: /],
  "hidden jobs alone": [".a: {script: m}\n", /: it has no visible job$/],
  "a job that is none": ["a: {script: m}\nb:\n", /yml line 2: b is neither a job nor a keyword/],
  "an unknown keyword": [
    "a:\n  script: m\nb:\n  script: m\n  scripts: m\n",
    /^Cannot read \.gitlab-ci\.yml line 5: b: 'scripts' property is not expected to be here$/,
  ],
  "a wrong type": [
    "b:\n  script: m\n  cache:\n    paths: m\n",
    /^Cannot read \.gitlab-ci\.yml line 1: b cache\[0\]\.paths must be array$/,
  ],
  "a misspelt script": [
    "a:\n  stage: test\n  scirpt: m\n",
    /yml line 3: a: scirpt is no keyword; did you mean script\?$/,
  ],
  "a service without a name": [
    "a: {script: m, services: [{alias: x}]}\n",
    /yml: gitlab-ci-local cannot expand it: Cannot read prop/,
  ],
  "no script": ["a: {script: m}\nb: {stage: test}\n", /yml line 2: b must have script specified$/],
  "an unknown stage": ["a:\n  script: m\n  stage: x\n", /yml line 3: stage:x not found for a$/],
  "an unknown need": [
    "a: {script: m, needs: [b]}\n",
    /yml line 1: needs: \[b\] for a could not be/,
  ],
  "a later need": [
    "a: {script: m, needs: [b]}\nb: {script: m, stage: deploy}\n",
    /yml line \d: needs: \[b\] for a is in a future stage$/,
  ],
  "a later dependency": [
    "a:\n  script: m\n  dependencies: [b]\nb: {script: m, stage: deploy}\n",
    /yml line 3: a: dependencies must be jobs of earlier stages, and b is in a later one$/,
  ],
  "an unknown job in extends": ["a:\n  extends: .b\n", /yml line 2: \.b is unspecified, used by a/],
  "an unknown reference": ["a:\n  script: !reference [.b, script]\n", /!reference \[\.b, script\]/],
  "a wrong rule": [
    "a:\n  script: m\n  rules:\n    - if: $A ==\n",
    /yml line 4: rules:if cannot be evaluated: \$A ==$/,
  ],
  "only: beside rules:": [
    "a:\n  script: m\n  only: [main]\n  rules: [{when: always}]\n",
    /yml line 3: a: a job may not have both rules: and only:$/,
  ],
  "an included file that is not there": ["include: a.yml\n", /yml line 1: .*a\.yml/],
  "a file of another server": [
    "include: https://example.com/a.yml\n",
    /yml line 1: it includes https:\/\/example\.com\/a\.yml, .*--fetch/,
  ],
  "a file of another project": [
    "include:\n  - project: a/b\n    file: c.yml\n",
    /yml line 1: it includes a\/b: c\.yml, .*--fetch/,
  ],
  "a file that cannot be fetched": [
    "include:\n  - project: a/b\n    file: c.yml\n",
    /yml line 1: it includes a\/b: c\.yml, which cannot be fetched: fatal: .*gitlab\.invalid/,
    { fetch: true, predefined: { CI_SERVER_HOST: "gitlab.invalid" } },
  ],
  "a component": [
    "include:\n  - component: gitlab.invalid/g/p/c@1.2\n",
    /yml line 1: it includes gitlab\.invalid\/g\/p, which is not in the working copy; --fetch/,
  ],
  "a component that cannot be fetched": [
    "include:\n  - component: gitlab.invalid/g/p/c@~latest\n",
    /yml line 1: it includes gitlab\.invalid\/g\/p, which cannot be fetched: fatal: /,
    { fetch: true },
  ],
  "a template": ["include: [{template: Go.gitlab-ci.yml}]\n", /it includes https.*Go.*--fetch/],
  "when: never": ["a: {script: m, when: never}\n", /yml line 1: .*when:never/],
  "a variable without a name": [
    "a: {script: m, variables: {a-b: c}}\n",
    /"a-b" is no name of one$/,
  ],
  "a time-out": ["a: {script: m, timeout: soon}\n", /job "a": timeout must be a span of time/],
};

for (const [what, [file, expected, asked]] of Object.entries(MISTAKES)) {
  testReader(`expand() names a mistake in one line: ${what}`, async () => {
    const error = await read(file, asked).then(() => null, (error) => error);
    assert.ok(error instanceof Failure, `${error?.stack}`);
    assert.equal(error.kind, "refused");
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /\n/);
    if (what === "no file") assert.match(error.hint!, /--file/);
    if (what === "a later dependency") assert.match(error.hint!, /^Move b to an earlier stage/);
  });
}

testReader("expand() warns of what it does not do", async () => {
  const { jobs, warnings } = await read(`
a: {script: m, only: [main]}
b: {script: m, release: {tag_name: v1, description: d}, needs: [{job: c}, {project: x/y, job: z, ref: main}]}
c: {stage: build, trigger: {include: child.yml}}
c: {stage: build, trigger: {include: child.yml}}
pages: {script: m}
`);
  assert.deepEqual(jobs.map(({ name }) => name), ["a", "b", "pages"]);
  assert.deepEqual(jobs[1]!.needs, []);
  assert.deepEqual(warnings, [
    ".gitlab-ci.yml line 5: a key occurs twice, and the last one counts",
    'trigger is not supported: the job is left out ("c")',
    'release is not supported: no release is created ("b")',
    'pages is not supported: nothing is published ("pages")',
    'needs:project and needs:pipeline is not supported: the job gets no artifacts of other pipelines ("b")',
  ]);
});

testReader("expand() warns of dependencies of the same stage without needs", async () => {
  const warning = "dependencies of a: it gets no artifacts of b, which is in the same stage; " +
    "list that job in needs: too";
  const warningsOf = async (job: string) =>
    (await read(`a: {script: m, ${job}}\nb: {script: m}\nc: {script: m, stage: build}\n`)).warnings;
  assert.deepEqual(await warningsOf("dependencies: [b, c]"), [warning]);
  assert.deepEqual(await warningsOf("dependencies: [b], parallel: 2"), [warning]);
  assert.deepEqual(await warningsOf("dependencies: [b], needs: [b]"), []);
  assert.deepEqual(await warningsOf("dependencies: [c]"), []);
});

testReader("expand() refuses an included file with another integrity", async () => {
  const [right, wrong] = [`sha256-${"A".repeat(43)}=`, `sha256-${"B".repeat(43)}=`];
  const url = "https://example.com/a.yml";
  const answer = () => ({ stdout: `${right}\nincluded: {script: m}\n` });
  const including = (integrity: string) =>
    running(`include:\n  - remote: ${url}\n    integrity: ${integrity}\n`, { fetch: true, answer });
  assert.deepEqual(await including(right), ["included"]);
  await assert.rejects(including(wrong), (error: Failure) => {
    const reason = `it includes ${url}, whose integrity is ${right} instead of ${wrong}`;
    assert.equal(error.message, `Cannot read .gitlab-ci.yml line 3: ${reason}`);
    assert.match(error.hint!, /^Find out why the file has changed/);
    return true;
  });
});

testReader("expand() checks the integrity of a file that is fetched already", async () => {
  const [right, wrong] = [`sha256-${"A".repeat(43)}=`, `sha256-${"B".repeat(43)}=`];
  const again = `include: [{remote: "https://example.com/a.yml", integrity: ${wrong}}]\n`;
  const file = "include: [https://example.com/a.yml, again.yml]\n";
  const asked: Asked = {
    fetch: true,
    files: { "again.yml": again },
    answer: () => ({ stdout: `${right}\nincluded: {script: m}\n` }),
  };
  await assert.rejects(
    running(file, asked),
    /whose integrity is sha256-A+= instead of sha256-B+=$/,
  );
});

testReader("expand() refuses jobs that wait for one another", async () => {
  const needs = (a: string, b: string) =>
    read(
      `a: {script: x, needs: [${a}]}\nb: {script: x, needs: [${b}]}\nc: {script: x, needs: [a]}`,
    );
  await assert.rejects(needs("b", "a"), /: "a" needs "b" needs "a"$/);
  await assert.rejects(needs("", "b"), /: "b" needs "b"$/);
  assert.equal((await needs("", "a")).jobs.length, 3);
});
