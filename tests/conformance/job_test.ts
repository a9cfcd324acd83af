/** A whole job as GitLab Runner would drive it, through the installed program. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import {
  type Attempt,
  attempt,
  BUILD_FAILURE,
  type StageResult,
  SYSTEM_FAILURE,
} from "./runner.ts";
import { type JobPlan, REGISTRY_PASSWORD } from "./job.ts";

/** Registers a test of one attempt for both kinds of machine; cleanup always follows. */
function onEachAttempt(name: string, body: (job: Attempt, site: Site) => Promise<void>): void {
  for (const boot of [true, false]) {
    onEachHost(`${name}, ${boot ? "booted" : "plain"}`, async (site) => {
      await withAttempt(
        await site.with({ boot }),
        planOf(`registry.example/group/${CHROOT}`),
        body,
      );
    });
  }
}

function planOf(image: string): JobPlan {
  return { id: Number(newJob()), image };
}

async function withAttempt(
  site: Site,
  plan: JobPlan,
  body: (job: Attempt, site: Site) => Promise<void>,
): Promise<void> {
  const job = await attempt(site, plan);
  try {
    await body(job, site);
  } finally {
    const gone = await job.cleanup();
    await job.close();
    assert.equal(gone.code, 0, gone.stderr);
    // GitLab Runner logs what it says as warnings.
    assert.equal(`${gone.stdout}${gone.stderr}`, "");
  }
}

function assertDone(done: StageResult): void {
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.exitCode, null);
}

function assertFailed(done: StageResult, code: number): void {
  assert.equal(done.code, BUILD_FAILURE, done.stderr);
  assert.equal(done.exitCode, `${code}\n`);
}

const HOOK = `mkdir -p /srv && git init --quiet --bare /srv/project.git
git -C /tmp init --quiet seed && cd /tmp/seed
printf 'line 1\\nline 2\\n' > README && git add README
git -c user.name=x -c user.email=x@example.org commit --quiet --message first
git push --quiet /srv/project.git HEAD:refs/heads/main
cd /`;

/** As GitLab Runner fetches a project, from a repository in the machine. */
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

onEachAttempt("a job that fails tells the script's code, stage by stage", async (job) => {
  assertDone(await job.config());
  assertDone(await job.prepare());
  assertDone(await job.run("prepare_script", "true"));
  const built = await job.run("build_script", "echo about to fail\n(exit 3)\necho never");
  assertFailed(built, 3);
  assert.equal(built.stdout, "about to fail\n");
  assertFailed(await job.run("after_script", "echo cleaning up; false"), 1);
  // What a stage left in the file says nothing about the next one.
  assertDone(await job.run("archive_cache_on_failure", "true"));
  assertDone(await job.run("upload_artifacts_on_failure", "true"));
  assertFailed(await job.run("step_kill", "kill -KILL $BASHPID"), 137);
  assertDone(await job.run("cleanup_file_variables", "true"));
});

onEachAttempt("a script for sh with POSIX escapes is read by sh", async (job) => {
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

onEachAttempt("a machine that is lost under a script is a system failure", async (job, site) => {
  assertDone(await job.config());
  assertDone(await job.prepare());
  const running = await job.startRun("build_script", "echo begun\nsleep 60");
  await running.said("begun");
  const [lease] = await Array.fromAsync(Deno.readDir(site.host.outside(`${site.store}/.leases`)));
  const { leader } = JSON.parse(
    await Deno.readTextFile(site.host.outside(`${site.store}/.leases/${lease!.name}`)),
  );
  await site.host.exec(["kill", "-KILL", `${leader.pid}`]);
  assert.equal((await running.ended).code, SYSTEM_FAILURE);
  assert.equal((await job.run("after_script", "true")).code, SYSTEM_FAILURE);
});

onEachHost("a job that switches its machine off has a system failure", async (site) => {
  await withAttempt(site, planOf(CHROOT), async (job) => {
    assertDone(await job.config());
    assertDone(await job.prepare());
    const done = await job.run("build_script", "systemctl poweroff\nsleep 60");
    assert.equal(done.code, SYSTEM_FAILURE, done.stderr);
  });
});

onEachAttempt(
  "SIGTERM to a stage fails it, and the stages after it still run",
  async (job, site) => {
    assertDone(await job.config());
    assertDone(await job.prepare());
    const running = await job.startRun("build_script", "echo begun\nsleep 60");
    await running.said("begun");
    await site.host.signal(running, "SIGTERM");
    assert.notEqual((await running.ended).code, 0);
    assertDone(await job.run("after_script", "echo still here"));
  },
);

onEachHost("attempts can be repeated after a failure", async (site) => {
  const plan = planOf(CHROOT);
  for (let time = 0; time < 2; time++) {
    await withAttempt(await site.with({ boot: false }), plan, async (job) => {
      assertDone(await job.config());
      assertDone(await job.prepare());
    });
  }
});

onEachHost(
  "an unknown image is the user's failure in config and prepare, at once",
  async (site) => {
    await withAttempt(site, planOf("no-such-image"), async (job) => {
      for (const done of [await job.config(), await job.prepare()]) {
        assert.equal(done.code, BUILD_FAILURE, done.stderr);
        assert.equal(done.stdout, "");
        assert.match(done.stderr, /no-such-image[^]*bookworm/, "it lists what there is");
      }
    });
  },
);

onEachHost("what a job says of its id, image and folders is not believed", async (site) => {
  const overrides = {
    CI_JOB_ID: "1",
    CI_JOB_IMAGE: "../../etc",
    CI_BUILDS_DIR: "/etc",
    CI_PROJECT_DIR: "/etc",
    CI_SERVER_URL: "https://other.example",
  };
  const plan = { ...planOf(CHROOT), overrides };
  await withAttempt(await site.with({ boot: false }), plan, async (job) => {
    assertDone(await job.config());
    assertDone(await job.prepare());
    const leases = await Array.fromAsync(Deno.readDir(site.host.outside(`${site.store}/.leases`)));
    assert.equal(leases.length, 1);
    assert.match(leases[0]!.name, new RegExp(`^run-${plan.id}-[0-9a-f]{8}\\.json$`));
  });
});

onEachHost("one id of two servers makes two machines", async (site) => {
  const own = await site.with({ boot: false });
  const plan = planOf(CHROOT);
  await withAttempt(own, plan, async (one) => {
    await withAttempt(own, { ...plan, instance: "another" }, async (other) => {
      for (const job of [one, other]) {
        assertDone(await job.config());
        assertDone(await job.prepare());
      }
      await one.run("build_script", "echo one > /whose");
      assertDone(await other.run("build_script", "test ! -e /whose"));
    });
    assertDone(await one.run("after_script", "test -e /whose"));
  });
});

onEachHost("the response's secrets stay in it", async (site) => {
  await withAttempt(await site.with({ boot: false }), planOf(CHROOT), async (job) => {
    const said = [await job.config(), await job.prepare()];
    const path = `${site.store}/.leases /run/nspawn-runner ${site.store}/.machines`;
    const search = await site.host.exec(
      [
        "sh",
        "-c",
        `grep -rl ${REGISTRY_PASSWORD.replace("E", "[E]")} ${path} /proc/[0-9]*/cmdline`,
      ],
    );
    assert.equal(search.stdout, "");
    said.push(await job.run("build_script", "env; cat /run/nspawn-runner/* 2>/dev/null || true"));
    for (const { stdout, stderr } of said) {
      assert.ok(!`${stdout}${stderr}`.includes(REGISTRY_PASSWORD));
    }
  });
});
