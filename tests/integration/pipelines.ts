/** Pipelines for tests, each with the outcome that GitLab documents. */

/** A pipeline, and what becomes of it. */
export interface PipelineCase {
  /** What the test checks. */
  readonly name: string;
  /** `.gitlab-ci.yml`; `default: { image: bookworm }` is not needed. */
  readonly file: string;
  /** Other files of the working copy. */
  readonly files?: Readonly<Record<string, string>>;
  /** Further words of the command line. */
  readonly words?: readonly string[];
  /** The states of the jobs at the end; jobs that are left out are not in it. */
  readonly states: Readonly<Record<string, string>>;
  /** The exit code; 0 by default. */
  readonly code?: number;
  /** Lines of jobs that must be in the output, as `JOB: LINE`, in this order for each job. */
  readonly lines?: readonly string[];
  /** What no job may print. */
  readonly never?: RegExp;
}

export const PIPELINES: readonly PipelineCase[] = [
  {
    name: "stages run in their order, and jobs of a stage get its variables and their own",
    file: `
stages: [build, test]
variables: { COMMON: of the file, OWN: of the file }
second:
  stage: test
  script: echo "second has $COMMON, $OWN"
first:
  stage: build
  variables: { OWN: of the job, BOTH: "$COMMON and \${OWN}", PRICE: "5$$", RAW: { value: "$OWN", expand: false } }
  script: ['echo "first has $COMMON, $OWN"', 'echo "$BOTH, $PRICE, $RAW"']
`,
    states: { first: "passed", second: "passed" },
    lines: [
      "first: first has of the file, of the job",
      "first: of the file and of the job, 5$, $OWN",
      "second: second has of the file, of the file",
    ],
  },
  {
    name: "before_script shares its shell with script, and after_script has its own",
    file: `
job:
  before_script: [cd /tmp, "WORD=kept; export FOUND=before"]
  script: ['echo "$PWD $WORD"', touch "$CI_PROJECT_DIR/made"]
  after_script: ['echo "after $CI_JOB_STATUS, \${WORD:-no word}, $(ls made)"']
`,
    states: { job: "passed" },
    lines: ["job: /tmp kept", "job: after success, no word, made"],
  },
  {
    name: "a failing script ends at its first failure with its exit code, and after_script runs",
    file: `
job:
  script: [echo one, "(exit 7)", echo two]
  after_script: ['echo "after $CI_JOB_STATUS"', "false"]
next: { stage: deploy, script: echo next }
`,
    states: { job: "failed", next: "skipped" },
    code: 7,
    lines: ["job: one", "job: after failed"],
    never: /^two$/m,
  },
  {
    name: "a pipe fails where one of its commands fails",
    file: `
job: { script: ["false | true", echo never] }
`,
    states: { job: "failed" },
    code: 1,
    never: /^never$/m,
  },
  {
    name: "extends, anchors, !reference and default make up a job",
    file: `
default:
  before_script: [echo default before]
.common:
  variables: { A: common a, B: common b }
  script: [echo common]
.words: &words [echo anchored]
one:
  extends: .common
  variables: { B: own b }
  script: [!reference [.common, script], *words, 'echo "$A, $B"']
two:
  inherit: { default: false }
  extends: [.common]
`,
    states: { one: "passed", two: "passed" },
    lines: [
      "one: default before",
      "one: common",
      "one: anchored",
      "one: common a, own b",
      "two: common",
    ],
  },
  {
    name: "include takes files of the working copy, also ones that git does not have yet",
    file: `
include: [local: ci/*.yml]
own: { script: echo own }
`,
    files: { "ci/more.yml": "included: { script: 'echo included' }\n" },
    states: { included: "passed", own: "passed" },
    lines: ["included: included", "own: own"],
  },
  {
    name: "artifacts go to the jobs of later stages, without what is excluded",
    file: `
stages: [build, test]
make:
  stage: build
  script: [mkdir -p "out/deep folder", echo made >"out/deep folder/a b", echo no >out/no.log]
  artifacts: { paths: [out/], exclude: ["out/**/*.log", out/*.log] }
use:
  stage: test
  script: ['cat "out/deep folder/a b"', test ! -e out/no.log]
`,
    states: { make: "passed", use: "passed" },
    lines: ["use: made"],
  },
  {
    name: "artifacts of a failed job are kept where it asks for that",
    file: `
stages: [build, test]
always:
  stage: build
  script: [echo kept >a, "exit 3"]
  artifacts: { paths: [a], when: always }
  allow_failure: true
only success:
  stage: build
  script: [echo lost >b, "exit 3"]
  artifacts: { paths: [b] }
  allow_failure: { exit_codes: [3] }
use: { stage: test, script: [cat a, test ! -e b] }
`,
    states: { always: "warned", "only success": "warned", use: "passed" },
    lines: ["use: kept"],
  },
  {
    name: "needs and dependencies choose whose artifacts a job gets",
    file: `
stages: [build, test]
.make: { stage: build, artifacts: { paths: ["*.txt"] } }
a: { extends: .make, script: echo a >a.txt }
b: { extends: .make, script: echo b >b.txt }
by needs: { stage: test, needs: [a], script: [ls *.txt] }
by dependencies: { stage: test, dependencies: [b], script: [ls *.txt] }
none: { stage: test, needs: [{ job: a, artifacts: false }], script: ["! ls *.txt"] }
`,
    states: {
      a: "passed",
      b: "passed",
      "by needs": "passed",
      "by dependencies": "passed",
      none: "passed",
    },
    lines: ["by needs: a.txt", "by dependencies: b.txt"],
    never: /^(?:a\.txt.*b\.txt|.*No match)$/m,
  },
  {
    name: "dotenv reports become variables of the jobs that follow",
    file: `
stages: [build, test]
make:
  stage: build
  script: ['echo "BUILD_VERSION=1.2.3 beta" >build.env', echo 'QUOTED="x"' >>build.env]
  artifacts: { reports: { dotenv: build.env } }
use: { stage: test, script: 'echo "version $BUILD_VERSION"' }
without: { stage: test, needs: [], script: 'echo "none: $BUILD_VERSION."' }
`,
    states: { make: "passed", use: "passed", without: "passed" },
    lines: ["use: version 1.2.3 beta", "without: none: ."],
  },
  {
    name: "a matrix makes a job of each combination, and another job needs one of them",
    file: `
stages: [build, test]
build:
  stage: build
  parallel: { matrix: [{ OS: [debian, alpine], ARCH: amd64 }] }
  script: 'echo "$OS $ARCH, $CI_NODE_INDEX of $CI_NODE_TOTAL" | tee $OS.txt'
  artifacts: { paths: ["*.txt"] }
use:
  stage: test
  needs: [{ job: build, parallel: { matrix: [{ OS: alpine, ARCH: amd64 }] } }]
  script: cat *.txt
twice: { stage: test, needs: [], parallel: 2, script: 'echo "$CI_JOB_NAME"' }
`,
    states: {
      "build: [debian, amd64]": "passed",
      "build: [alpine, amd64]": "passed",
      use: "passed",
      "twice 1/2": "passed",
      "twice 2/2": "passed",
    },
    lines: [
      "build: [debian, amd64]: debian amd64, 1 of 2",
      "build: [alpine, amd64]: alpine amd64, 2 of 2",
      "use: alpine amd64, 2 of 2",
      "twice 1/2: twice 1/2",
      "twice 2/2: twice 2/2",
    ],
  },
  {
    name: "rules choose jobs by variables, files and the branch, and change them",
    file: `
variables: { MODE: none }
by value:
  rules: [{ if: '$MODE == "full"', variables: { WORD: ruled } }, { when: never }]
  variables: { WORD: own }
  script: 'echo "$WORD"'
by file: { rules: [{ exists: [present.txt] }], script: echo present }
no file: { rules: [{ exists: [absent.txt] }], script: echo absent }
by branch: { rules: [{ if: '$CI_COMMIT_BRANCH =~ /^ma/' }], script: 'echo "$CI_COMMIT_REF_NAME"' }
may fail: { rules: [{ if: $MODE, allow_failure: true }], script: exit 4 }
waits: { rules: [{ when: manual, allow_failure: true }], script: echo never }
`,
    files: { "present.txt": "" },
    words: ["--variable", "MODE=full"],
    states: {
      "by value": "passed",
      "by file": "passed",
      "by branch": "passed",
      "may fail": "warned",
      waits: "manual",
    },
    lines: ["by value: ruled", "by file: present", "by branch: main"],
    never: /^(?:absent|never)$/m,
  },
  {
    name: "workflow:rules set variables, and can exclude the pipeline",
    file: `
workflow:
  rules:
    - if: $SKIP
      when: never
    - variables: { OF_WORKFLOW: set }
job: { script: 'echo "$OF_WORKFLOW"' }
`,
    states: { job: "passed" },
    lines: ["job: set"],
  },
  {
    name: "jobs run on failure, always, later, or by hand",
    file: `
stages: [build, test, report]
breaks: { stage: build, script: exit 5 }
skipped: { stage: test, script: echo never }
on failure: { stage: report, when: on_failure, script: echo it failed }
always: { stage: report, when: always, script: echo always }
later: { stage: build, when: delayed, start_in: 1 second, script: echo later }
by hand: { stage: build, when: manual, script: echo never }
`,
    states: {
      breaks: "failed",
      skipped: "skipped",
      "on failure": "passed",
      always: "passed",
      later: "passed",
      "by hand": "manual",
    },
    code: 5,
    lines: ["on failure: it failed", "always: always", "later: later"],
    never: /^never$/m,
  },
  {
    name: "retry repeats a failed job, whose attempts have machines of their own",
    file: `
flaky:
  retry: { max: 2, when: [script_failure] }
  cache: { key: attempts, paths: [tries], when: always }
  script: [echo x >>tries, 'test "$(wc -l <tries)" -eq 2']
never: { retry: { max: 2, when: [runner_system_failure] }, allow_failure: true, script: exit 6 }
`,
    states: { flaky: "passed", never: "warned" },
  },
  {
    name: "a job that takes longer than its timeout is ended",
    file: `
slow:
  timeout: 3 seconds
  script: [echo begins, sleep 60, echo never]
  after_script: ['echo "after $CI_JOB_STATUS"']
`,
    states: { slow: "failed" },
    code: 1,
    lines: ["slow: begins"],
    never: /^never$/m,
  },
  {
    name: "a cache is kept by its key, pulled and pushed by its policy, with fallback keys",
    file: `
stages: [fill, use]
fill:
  stage: fill
  cache: { key: "$CI_COMMIT_REF_SLUG-deps", paths: [deps/] }
  script: [mkdir -p deps, echo filled >deps/a]
pull:
  stage: use
  cache: { key: main-deps, paths: [deps/], policy: pull }
  script: [cat deps/a, echo changed >deps/a]
pull again:
  stage: use
  needs: [fill, pull]
  cache: { key: main-deps, paths: [deps/], policy: pull }
  script: cat deps/a
fallback:
  stage: use
  cache: { key: other, fallback_keys: [absent, main-deps], paths: [deps/], policy: pull }
  script: cat deps/a
by files:
  stage: use
  cache: { key: { files: [lock], prefix: p }, paths: [other/] }
  script: [mkdir other, echo o >other/a]
empty: { stage: use, cache: [], script: test ! -e deps }
`,
    files: { lock: "1\n" },
    states: {
      fill: "passed",
      pull: "passed",
      "pull again": "passed",
      fallback: "passed",
      "by files": "passed",
      empty: "passed",
    },
    lines: ["pull: filled", "pull again: filled", "fallback: filled"],
  },
  {
    name: "predefined variables tell of the commit, the job and the project",
    file: `
job name:
  script:
    - test "$(git rev-parse HEAD)" = "$CI_COMMIT_SHA" && echo same commit
    - 'echo "$CI_COMMIT_BRANCH, $CI_JOB_NAME, $CI_JOB_STAGE, $CI_COMMIT_TITLE"'
    - test "$PWD" = "$CI_PROJECT_DIR" && test "$CI" = true && test "$GITLAB_CI" = true && echo in place
    - git status --short
`,
    files: { "new file": "not committed\n" },
    states: { "job name": "passed" },
    lines: [
      "job name: same commit",
      "job name: main, job name, test, The first commit",
      "job name: in place",
      'job name: ?? "new file"',
    ],
  },
  {
    name: "chosen jobs bring those that they need, and manual ones run when named",
    file: `
stages: [build, test, deploy]
a: { stage: build, script: echo a >a, artifacts: { paths: [a] } }
b: { stage: build, script: echo b }
c: { stage: test, needs: [a], script: cat a }
ship: { stage: deploy, when: manual, needs: [c], script: echo shipped }
`,
    words: ["ship"],
    states: { a: "passed", c: "passed", ship: "passed" },
    lines: ["c: a", "ship: shipped"],
    never: /^b$/m,
  },
  {
    name: "hooks, file variables, multi-line commands and odd characters work as in GitLab",
    file: `
job:
  hooks: { pre_get_sources_script: [echo before the sources] }
  variables: { ODD: "it's \\"odd\\" \\\\ \`x\` $$HOME ü" }
  script:
    - |
      for word in one two; do
        echo "$word"
      done
    - echo "$ODD"
    - >-
      echo folded
      line
`,
    states: { job: "passed" },
    lines: [
      "job: before the sources",
      "job: one",
      "job: two",
      'job: it\'s "odd" \\ `x` $HOME ü',
      "job: folded line",
    ],
  },
];
