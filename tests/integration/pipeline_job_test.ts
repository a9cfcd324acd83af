/** Jobs of pipelines: sources, scripts, artifacts, caches. */

import assert from "node:assert/strict";
import { withRunner } from "../conformance/runner_stand_in.ts";
import { begin, planOf, withAttempt } from "../conformance/stages.ts";
import { onEachBoot, onEachHost } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";
import type { PipelineArtifacts, PipelineCache } from "../../src/pipeline/model.ts";
import { imageIn, withImages } from "./images.ts";
import { withPipeline } from "./pipeline.ts";

/** Names that wrong quoting, lines and encodings would change. */
const FILES = `
printf odd >"$(printf 'latin\\351')"
printf odd >"$(printf 'two\\nlines')"
printf odd >'sp ace'
ln -s nowhere dangling
echo ignored >.gitignore
git add .
git commit --quiet -m second -m 'with $dollar'
echo changed >>README
echo new >untracked
echo no >ignored
printf '#!/bin/sh\\necho it runs\\n' >run.sh
chmod 700 run.sh
`;

onEachHost("a job of a pipeline gets the working copy as it is, and its history", async (site) => {
  await withPipeline(await site.with({ boot: false }), FILES, async ({ run }) => {
    const { kind, output } = await run({
      script: [
        "ls -A",
        "cat README untracked",
        "./run.sh",
        "git status --short",
        "git log --format=%s",
        'git rev-parse --abbrev-ref HEAD; test "$(git rev-parse origin/main)" = "$CI_COMMIT_SHA"',
        "stat -c '%a %U' run.sh README",
      ],
    });
    assert.equal(kind, "success", output);
    for (
      const line of ["first\nchanged\nnew\n", "it runs\n", " M README\n?? run.sh\n?? untracked\n"]
    ) {
      assert.ok(output.includes(line), `${line} in:\n${output}`);
    }
    assert.match(output, /second\nfirst\n/);
    assert.match(output, /755 root\n644 root\n/);
    assert.doesNotMatch(output, /^ignored$/m);
  });
}, ["standalone"]);

onEachBoot("a job of a pipeline runs its scripts as GitLab Runner's", async (site) => {
  await withPipeline(site, "", async ({ run }) => {
    const { kind, code, output, artifacts } = await run({
      variables: { GREETING: "it's $NAME", NAME: "Ada $$5", EMPTY: "$UNKNOWN" },
      beforeScript: ["export SHARED=before"],
      script: [
        'echo "<$SHARED> <$GREETING> <$EMPTY> <$CI_JOB_NAME> <$CI_COMMIT_BRANCH>"',
        "echo one\necho two",
        "cat <<EOF\nthree\nEOF",
        "false | true",
        "echo never",
      ],
      afterScript: ['echo "after: <$SHARED> $CI_JOB_STATUS"; exit 5'],
      artifacts: {
        ...{ paths: ["README"], exclude: [], untracked: false, when: "on_success" },
        ...{ dotenv: [], reports: [] },
      },
    }, { variables: [{ key: "CONF", value: "content\n$NAME", file: true }] });
    assert.deepEqual([kind, code, artifacts], ["script", 1, null], output);
    assert.match(output, /<before> <it's Ada \$5> <> <job> <main>/);
    const shown = "\x1b[32;1m$ echo one # collapsed multi-line command\x1b[0;m\none\ntwo\n";
    assert.ok(output.includes(shown), output);
    assert.match(output, /three\n/);
    assert.doesNotMatch(output, /^never$/m);
    assert.match(output, /after: <> failed/);
  });
});

onEachHost("a job of a pipeline leaves artifacts to others, and variables", async (site) => {
  await withPipeline(
    await site.with({ boot: false }),
    "mkdir d\necho x >d/tracked\ngit add d",
    async ({ run }) => {
      const made = await run({
        script: [
          "mkdir -p out/deep 'od d' && echo a >out/deep/a.txt && echo b >out/b.log && echo c >'od d/c'",
          "echo VERSION=1.2 >build.env && echo ' NAME = x y ' >>build.env && echo '<x/>' >report.xml",
        ],
        artifacts: {
          ...{
            paths: ["out/**/*.txt", "od d/", "missing", "/etc/passwd"],
            exclude: ["out/never/**"],
          },
          ...{ untracked: false, when: "on_success", dotenv: ["*.env"], reports: ["report.xml"] },
        },
      });
      assert.equal(made.kind, "success", made.output);
      assert.deepEqual(made.dotenv, { VERSION: "1.2", NAME: "x y" });
      assert.ok(made.artifacts !== null && made.reports !== null, made.output);
      assert.match(made.output, /missing: no matching files/);
      assert.match(made.output, /etc\/passwd: not a path/);
      const used = await run({
        script: [
          "find out 'od d' | sort",
          "cat out/deep/a.txt",
          'test ! -e report.xml && echo "$VERSION"',
        ],
      }, {
        artifactsOf: [{ job: "maker", file: made.artifacts }],
        variables: [{ key: "VERSION", value: "1.2" }],
      });
      assert.equal(used.kind, "success", used.output);
      assert.match(used.output, /Downloading artifacts for maker/);
      assert.match(used.output, /od d\nod d\/c\nout\nout\/deep\nout\/deep\/a\.txt\n/);
    },
  );
});

const CACHE: PipelineCache = {
  ...{ key: "default", fallbackKeys: [], paths: ["deps/"], untracked: false },
  ...{ policy: "pull-push", when: "on_success" },
};

onEachHost("jobs of pipelines share caches by their keys", async (site) => {
  const files = "echo 1 >a.lock\ngit add a.lock\necho '*.o' >.gitignore";
  await withPipeline(await site.with({ boot: false }), files, async ({ run }) => {
    const look = async (caches: readonly PipelineCache[], variables = {}, script = "true") => {
      const { kind, output } = await run({
        ...{ caches, variables },
        script: [`cat deps/* *.o 2>/dev/null || true; mkdir -p deps; ${script}`],
      });
      assert.equal(kind, script.endsWith("false") ? "script" : "success", output);
      return output;
    };
    const of = (cache: Partial<PipelineCache>) => [{ ...CACHE, ...cache }];
    const ofFiles = { key: { files: ["*.lock"], prefix: "$P" } } as const;
    const untracked = { ...CACHE, key: "objects", paths: [], untracked: true };
    const first = await look(
      [...of(ofFiles), untracked],
      { P: "deps" },
      "echo first >deps/file; echo object >x.o",
    );
    assert.match(first, /Cache deps-[0-9a-f]{40} does not exist yet/);
    assert.match(first, /deps\/: found 2 matching.*\n.*Created cache/);
    const second = await look([...of({ ...ofFiles, policy: "pull" }), untracked], { P: "deps" });
    assert.match(second, /Successfully extracted cache[^]*first\nobject\n/);
    assert.match(await look(of({ key: "other-$P", fallbackKeys: ["objects"] })), /^object$/m);
    const variables = { CACHE_FALLBACK_KEY: "objects" };
    const pushed = await look(of({ key: "other-$P", policy: "push" }), variables, "touch deps/x");
    assert.match(pushed, /Not downloading cache other- due to policy/);
    assert.doesNotMatch(pushed, /^object$/m);
    assert.match(
      await look(of({ key: "bad", when: "on_failure" }), {}, "touch deps/x; false"),
      /Created cache/,
    );
    assert.match(
      await look(of({ key: "bad" }), {}, "rmdir deps || true"),
      /Successfully extracted/,
    );
    assert.match(await look(of({ key: "empty" }), {}, "rmdir deps"), /No files to cache/);
  });
}, ["standalone"]);

onEachHost(
  "a job of a pipeline ends at its limits of time, and when it is cancelled",
  async (site) => {
    await withPipeline(await site.with({ boot: false }), "", async ({ run }) => {
      const sleeping = {
        script: ["echo begun", "sleep 60"],
        afterScript: ['echo "after $CI_JOB_STATUS"'],
      };
      const late = await run({ ...sleeping, variables: { RUNNER_SCRIPT_TIMEOUT: "1s" } });
      assert.deepEqual([late.kind, late.code], ["timeout", 1], late.output);
      assert.match(late.output, /^after failed$/m);
      const over = await run({ ...sleeping, timeout: 3 });
      assert.equal(over.kind, "timeout", over.output);
      assert.doesNotMatch(over.output, /^after/m);
      assert.ok(over.seconds < 30);
      const controller = new AbortController();
      const running = run(sleeping, { interrupt: controller.signal });
      setTimeout(() => controller.abort(), 2000);
      assert.equal((await running).kind, "cancelled");
      assert.equal((await run({ image: { name: "no/such:image" } })).kind, "script");
    });
  },
);

onEachHost("a failed job of a pipeline is kept where the caller asks for it", async (site) => {
  const own = await site.with({ boot: false });
  await withPipeline(own, "", async ({ run }) => {
    const failed = await run({ script: ["echo trace >/root/trace; exit 3"] }, { keep: true });
    assert.deepEqual([failed.kind, failed.code], ["script", 3], failed.output);
    const id = `${failed.id}`;
    const look = await own.call(["shell", id], { stdin: "cat /root/trace\n" });
    assert.equal(look.stdout, "trace\n", look.stderr);
    assert.equal((await own.call(["shell", id, "--done"])).code, 0);
  });
});

onEachHost("a job of a pipeline takes the sources that its variables ask for", async (site) => {
  const submodules = `echo two >README
git commit --quiet --all -m second
new() { git init --quiet --initial-branch=main "$1" && git -C "$1" config user.name x && git -C "$1" config user.email x@x; }
add() { git -c protocol.file.allow=always submodule --quiet add "$1" "$2"; }
other=$(mktemp -d)
new "$other/nested" && (cd "$other/nested" && echo nested >file && git add . && git commit --quiet -m nested)
new "$other/sub" && (cd "$other/sub" && add "$other/nested" deep && echo sub >file && git add . && git commit --quiet -m sub)
add "$other/sub" sub
git -c protocol.file.allow=always submodule --quiet update --init --recursive
git commit --quiet -m third
rm -rf "$other"
`;
  await withPipeline(await site.with({ boot: false }), submodules, async ({ run }) => {
    const script = [
      "git rev-list --count HEAD 2>/dev/null || ls -A",
      "cat sub/file sub/deep/file 2>/dev/null || true",
      "git submodule status --recursive | cut -c1,43-50",
    ];
    const look = async (variables: Record<string, string>, hooks: readonly string[] = []) => {
      const { kind, output } = await run({ script, variables, preGetSources: hooks });
      assert.equal(kind, "success", output);
      return output.replaceAll(/^.*\$ .*\n/gm, "");
    };
    assert.match(await look({}), /^3\n-sub/m);
    assert.match(await look({ GIT_DEPTH: "1" }, ["echo from the hook"]), /from the hook\n[^]*^1$/m);
    assert.match(await look({ GIT_SUBMODULE_STRATEGY: "normal" }), /^3\nsub\n sub[^]*-sub\/deep/m);
    assert.match(
      await look({ GIT_SUBMODULE_STRATEGY: "recursive", GIT_DEPTH: "0" }),
      /^3\nsub\nnested\n sub[^]* sub\/deep/m,
    );
    const none = await run({ script: ["ls -A | wc -l"], variables: { GIT_STRATEGY: "none" } });
    assert.match(none.output, /Skipping Git repository setup[^]*^0$/m);
  });
}, ["standalone"]);

onEachHost("jobs of pipelines move files by gitlab-runner where the host has it", async (site) => {
  const own = await withRunner(await site.with({ boot: false }));
  await withPipeline(own, "", async ({ run }) => {
    const archiver = "gitlab-runner";
    const made = await run({
      script: ["mkdir out deps && echo a >out/a && echo c >deps/c"],
      caches: [CACHE],
      artifacts: {
        ...{ paths: ["out"], exclude: [], untracked: false, when: "on_success" },
        ...{ dotenv: [], reports: [] },
      },
    }, { archiver });
    assert.equal(made.kind, "success", made.output);
    assert.match(made.artifacts ?? "", /\.zip$/);
    const artifactsOf = [{ job: "made", file: made.artifacts! }];
    const used = await run({ script: ["cat out/a deps/c"], caches: [CACHE] }, {
      ...{ archiver, artifactsOf },
    });
    assert.match(used.output, /^a\nc\n/m);
  });
}, ["standalone"]);

withImages(
  "a job of a pipeline on a pulled image gets and leaves files as its user",
  {},
  async (own, registry) => {
    const image = await imageIn(registry, "user:1", { config: ["--config.user=1000:1001"] });
    const pulled = await own.call(["image-pull", image]);
    assert.equal(pulled.code, 0, pulled.stderr);
    await withPipeline(own, "", async ({ run }) => {
      const artifacts: PipelineArtifacts = {
        ...{ paths: ["out/**"], exclude: [], untracked: false, when: "always", dotenv: ["e"] },
        reports: [],
      };
      const job = { image: { name: "$IMAGE" }, variables: { IMAGE: image }, caches: [CACHE] };
      const made = await run({
        ...job,
        artifacts,
        script: [
          "id -u; cat README; mkdir out deps; echo a >out/a; echo c >deps/c; echo X=1 >e",
          "exit 4",
        ],
      });
      assert.deepEqual([made.kind, made.code, made.dotenv], ["script", 4, { X: "1" }], made.output);
      assert.match(made.output, /^1000\nfirst\n/m);
      const caches = [{ ...CACHE, when: "always" }] as const;
      const kept = await run({ ...job, caches, script: ["mkdir deps; echo c >deps/c"] });
      assert.equal(kept.kind, "success", kept.output);
      const used = await run({ ...job, script: ["cat out/a deps/c; echo more >>deps/c"] }, {
        artifactsOf: [{ job: "made", file: made.artifacts! }],
      });
      assert.equal(used.kind, "success", used.output);
      assert.match(used.output, /^a\nc\n/m);
    });
  },
  true,
  ["standalone"],
);

onEachHost("a job of a pipeline starts as fast as one of simulate", async (site) => {
  const own = await site.with({ boot: false });
  await withPipeline(own, "", async ({ run }) => {
    const simulated: number[] = [];
    const jobs: number[] = [];
    for (let i = 0; i < 5; i++) {
      const began = Date.now();
      const done = await own.call(["simulate", "--image", "bookworm", "--", "date", "+at %s%N"]);
      simulated.push(Number(done.stdout.match(/^at (\d+)/m)![1]) / 1e6 - began);
      const start = Date.now();
      const { output } = await run({ script: ["date '+at %s%N'"] });
      jobs.push(Number(output.match(/^at (\d+)/m)![1]) / 1e6 - start);
    }
    const median = (times: number[]) => times.toSorted((a, b) => a - b)[2]!;
    assert.ok(median(jobs) < median(simulated) + 200, `${jobs} and ${simulated} ms`);
  });
});

/** What scripts of GitLab Runner and of pipelines have to do alike. */
const SCRIPT = [
  'printf "<%s>\\n" "$ODD" "$CI_JOB_STAGE" "$CI" "$(pwd)" "$CI_PROJECT_DIR"',
  'cat "$CONF_FILE"; echo "$CONF_FILE"',
  "set -o | grep -E '^(errexit|pipefail|noclobber|xtrace)'; umask; echo \"$-\" | tr -d s",
  "read x || echo no input",
  'ulimit -n; id; tty || true; echo "$HOME $SHLVL"',
  "for i in 1 2; do\n  echo $i\ndone",
  "(exit 3) || echo went on; trap",
  "false | cat",
];

onEachBoot("a script does in a pipeline what it does in GitLab Runner", async (site) => {
  const odd = 'it\'s "odd" `x` \\ ü\nsecond line';
  const variables = { ODD: odd, CI_JOB_STAGE: "test" };
  let expected = "";
  await withAttempt(site, { ...planOf(CHROOT), overrides: variables }, async (job) => {
    await begin(job);
    const done = await job.run(
      "build_script",
      `mkdir -p ${job.project()}\ncd ${job.project()}\n${SCRIPT.join("\n")}`,
    );
    assert.equal(done.exitCode, "1\n", done.stderr);
    expected = done.stdout;
  });
  await withPipeline(
    site,
    "git remote add origin https://x.invalid/group/project.git",
    async ({ run }) => {
      const { kind, code, output } = await run({ script: SCRIPT, variables }, {
        variables: [{ key: "CONF_FILE", value: "the contents of a file\n", file: true }],
      });
      assert.deepEqual([kind, code], ["script", 1], output);
      const printed = output.split("\n").filter((line) => !line.startsWith("\x1b[32;1m$ ")).join(
        "\n",
      );
      assert.ok(printed.includes(expected), `${expected} in:\n${printed}`);
    },
  );
});
