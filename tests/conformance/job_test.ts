/** Whole jobs, driven as by GitLab Runner. */

import assert from "node:assert/strict";
import { onEachBoot } from "../hosts/shared.ts";
import { CHROOT, type Site } from "../hosts/site.ts";
import { skip } from "../skip.ts";
import { assertDone, assertFailed, begin, onEachAttempt, planOf, withAttempt } from "./stages.ts";

const HOOK = `mkdir -p /srv && git init --quiet --bare /srv/project.git
git -C /tmp init --quiet seed && cd /tmp/seed
printf 'line 1\\nline 2\\n' > README && git add README
git -c user.name=x -c user.email=x@example.org commit --quiet --message first
git push --quiet /srv/project.git HEAD:refs/heads/main
cd /`;

/** Fetches a project as GitLab Runner does, from a repository in the machine. */
function getSources(project: string): string {
  return `export GIT_TERMINAL_PROMPT=0
rm "-r" "-f" "${project}.tmp/git-template"
mkdir -p ${project}.tmp/git-template
git config -f ${project}.tmp/git-template/config init.defaultBranch none
git init ${project} --template ${project}.tmp/git-template
cd ${project}
git remote add origin /srv/project.git
git fetch origin --no-recurse-submodules $'+refs/heads/main:refs/remotes/origin/main' --depth 20 --prune --quiet
git checkout -f -q origin/main
git clean -ffdx
echo $'url=https://gitlab.example\\nusername=gitlab-ci-token' | git credential reject || true`;
}

const BUILD = `echo $'\\x1b[32;1m$ cat README | head -n 2\\x1b[0;m'
cat README | head -n 2
mkdir -p out && echo built > out/file
echo "file variable: $(cat "$CONF_FILE")"
echo "odd: $ODD"
echo "KEPT=from the build" >> "$GITLAB_ENV"
cat <<'EOF' > multi.txt
several
  lines with $DOLLAR and 'quotes'
EOF
cat multi.txt`;

onEachAttempt("a job that succeeds goes through all stages", async (job) => {
  const config = await job.config();
  assertDone(config);
  assert.equal(JSON.parse(config.stdout).driver.name, "nspawn-runner");
  const prepared = await job.prepare();
  assertDone(prepared);
  assert.match(prepared.stderr, new RegExp(CHROOT));
  const cd = `cd ${job.project()}\n`;

  const first = await job.run("prepare_script", 'echo "Running on $(hostname)..."');
  assertDone(first);
  assert.match(first.stdout, /^Running on \S+\.\.\.\n$/);
  assertDone(await job.run("get_sources", `${HOOK}\n${getSources(job.project())}`));
  assertDone(
    await job.run("restore_cache", `${cd}gitlab-runner --version >/dev/null 2>&1 || echo none`),
  );
  assertDone(await job.run("download_artifacts", `${cd}echo from before > from-before.txt`));
  const built = await job.run("build_script", `${cd}cat from-before.txt\n${BUILD}`);
  assertDone(built);
  assert.equal(
    built.stdout,
    "from before\n\x1b[32;1m$ cat README | head -n 2\x1b[0;m\nline 1\nline 2\n" +
      "file variable: the contents of a file\n" +
      'odd: it\'s "odd" $HOME `x` \\ ü\nsecond line\n' +
      "several\n  lines with $DOLLAR and 'quotes'\n",
  );
  const after = await job.run("after_script", `${cd}echo "$KEPT, $(cat out/file)"`);
  assertDone(after);
  assert.equal(after.stdout, "from the build, built\n");
  for (const stage of ["step_release", "archive_cache", "upload_artifacts_on_success"]) {
    assertDone(await job.run(stage, `${cd}test -f out/file`));
  }
  const last = `rm "-f" "$GITLAB_ENV"\nrm "-r" "-f" "${job.project()}.tmp"`;
  assertDone(await job.run("cleanup_file_variables", last));
});

onEachAttempt("a job that fails reports the script's exit code, stage by stage", async (job) => {
  assertDone(await job.config());
  assertDone(await job.prepare());
  assertDone(await job.run("prepare_script", "true"));
  const built = await job.run("build_script", "echo about to fail\n(exit 3)\necho never");
  assertFailed(built, 3);
  assert.equal(built.stdout, "about to fail\n");
  assertFailed(await job.run("after_script", "echo cleaning up; false"), 1);
  // An exit code that an earlier stage left in the file does not count.
  assertDone(await job.run("archive_cache_on_failure", "true"));
  assertDone(await job.run("upload_artifacts_on_failure", "true"));
  assertFailed(await job.run("step_kill", "kill -KILL $BASHPID"), 137);
  assertDone(await job.run("cleanup_file_variables", "true"));
});

onEachAttempt("a script for sh with POSIX escapes is run by sh", async (job) => {
  assertDone(await job.config());
  assertDone(await job.prepare());
  const script = `#!/usr/bin/env sh

trap 'exit 1' TERM

case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit
set +o noclobber
(trap 'exit 1' TERM; eval "echo \\"one\\"
readlink /proc/self/exe /proc/\\$\\$/exe
") < /dev/null
exit 0
`;
  const done = await job.runScript("build_script", script);
  assertDone(done);
  assert.match(done.stdout, /^one\n.*\n.*dash\n$/);
});

onEachBoot("odd names, paths and values arrive byte for byte", async (site) => {
  const odd = `it's "odd" $(id) \`x\` \\ %n ; & | * ü\tand a\nsecond line`;
  const plan = {
    ...planOf(CHROOT),
    folder: `/tmp/${odd} XXXXXX`,
    overrides: { ODD: odd, "CI_COMMIT_REF_NAME": odd, CI_PROJECT_PATH: `group/${odd}` },
  };
  await withAttempt(site, plan, async (job) => {
    await begin(job);
    const built = await job.run("build_script", 'printf "%s" "$ODD"; exit 6');
    assertFailed(built, 6);
    assert.equal(built.stdout, odd);
    assertDone(await job.run(odd, 'printf "%s" "$CI_COMMIT_REF_NAME" >/dev/null'));
  });
});

onEachBoot(
  "GitLab Runner marks the checkout as safe also for a user without a home",
  async (site) => {
    const own = await site.with({ user: "nobody" });
    await withAttempt(own, planOf(CHROOT), async (job) => {
      await begin(job);
      const sources = await job.run(
        "get_sources",
        `git config --global --add safe.directory ${job.project()} && git init -q ${job.project()}
         git config --global safe.directory; id -un; echo $HOME`,
      );
      assertDone(sources);
      assert.equal(sources.stdout, `${job.project()}\nnobody\n/nonexistent\n`);
      const built = await job.run(
        "build_script",
        `cd ${job.project()} && git status --short && echo clean`,
      );
      assertDone(built);
      assert.equal(built.stdout, "clean\n");
    });
  },
);

/** Arguments: the folder of the programs, a command. Hides the parts that few calls need. */
const WITHOUT_RARE = `
for file in "$1"/*-rare-*.js; do mount --bind /dev/null "$file"; done
shift
exec "$@"
`;

const NO_RARE_PART = "a small job loads no rare part of the program, also where its script fails";

onEachBoot(NO_RARE_PART, playWithoutRare, { kinds: ["systemd"] });

async function playWithoutRare(site: Site): Promise<void> {
  const programs = `${site.installation.prefix}/lib/nspawn-runner/program`;
  if ((await site.host.exec(["test", "-d", programs])).code !== 0) {
    return skip(NO_RARE_PART, "the program is an executable");
  }
  const caller = ["unshare", "--mount", "sh", "-euc", WITHOUT_RARE, "sh", programs];
  await withAttempt(
    site,
    planOf(CHROOT),
    async (job) => {
      await begin(job);
      assertDone(await job.run("get_sources", "true"));
      const built = await job.run("build_script", "exit 3");
      assertFailed(built, 3);
      assert.equal(built.stderr, "");
      assertDone(await job.run("cleanup_file_variables", "true"));
    },
    undefined,
    caller,
  );
}
