/** Jobs of pipelines: sources, scripts, artifacts, caches. */

import assert from "node:assert/strict";
import { onEachBoot, onEachHost } from "../hosts/shared.ts";
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
});

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
