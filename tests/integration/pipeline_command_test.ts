/** The command `pipeline`: its options, mistakes, interrupts, and what it must not do. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { answerOf, linesOf, withWorkingCopy } from "./working_copy.ts";
import { leasesOf } from "../conformance/stages.ts";

/** The kind of host for what does not depend on it. */
const ON_ONE_HOST = ["standalone"] as const;

onEachHost("pipeline --list and --dry-run show the jobs, and run none", async (site) => {
  const file = `
stages: [build, test]
unit: { stage: test, needs: [compile], script: [make test, make lint] }
compile: { stage: build, script: make }
deploy: { stage: test, when: manual, script: ./deploy }
`;
  await withWorkingCopy(site, file, {}, async (copy) => {
    const list = await copy.pipeline(["--list"]);
    assert.equal(list.code, 0, list.stderr);
    assert.match(
      list.stdout,
      /^STAGE .*\nbuild +compile +on_success.*\ntest +unit +on_success +compile\ntest +deploy +manual, may fail\n$/,
    );
    const json = JSON.parse((await copy.pipeline(["--list", "--json"])).stdout);
    assert.deepEqual(json.jobs.map((one: { name: string }) => one.name), [
      "compile",
      "unit",
      "deploy",
    ]);
    const dry = await copy.pipeline(["--dry-run", "unit"]);
    assert.match(
      dry.stdout,
      /^build: compile, on_success\n {4}make\n\ntest: unit, on_success\n {4}make test\n {4}make lint\n$/,
    );
    assert.deepEqual(await leasesOf(copy.site), []);
  });
}, ON_ONE_HOST);

onEachHost("a mistake in the file is reported with its line, and no job runs", async (site) => {
  await withWorkingCopy(site, "job: { script: echo }\n", {}, async (copy) => {
    const refused = async (file: string, message: RegExp) => {
      await copy.write(".gitlab-ci.yml", file);
      const done = await copy.pipeline([]);
      assert.equal(done.code, 1, done.stderr);
      assert.match(done.stderr, message);
      assert.equal(done.stdout, "");
    };
    await refused("a: {script: x}\nb:\n  script: [\n", /\.gitlab-ci\.yml.*line [34]/s);
    await refused("a:\n  script: x\nb:\n  extends: .none\n", /line [34].*\.none/s);
    await refused("a:\n  script: x\n  stage: none\n", /none/);
    await refused("a:\n  script: x\n  needs: [nothing]\n", /nothing/);
    await refused(
      "include: [{remote: 'https://example.invalid/x.yml'}]\na: {script: x}\n",
      /--fetch/,
    );
    const named = await copy.pipeline(["--file", "absent.yml"]);
    assert.match(named.stderr, /absent\.yml.*no such file/);
    await copy.write(".gitlab-ci.yml", "job: { script: echo }\n");
    const unknown = await copy.pipeline(["jab"]);
    assert.match(unknown.stderr, /"jab": the pipeline has no such job\n.*"job"/);
  });
}, ON_ONE_HOST);

onEachHost("jobs run at once, with caches, artifacts and logs of their own", async (site) => {
  const job = (name: string) => `
${name}:
  stage: build
  cache: { key: ${name}, paths: [cached] }
  script:
    - echo ${name} >${name}.txt; mkdir -p cached; echo ${name} >cached/file
    - touch /tmp/here; until [ "$(date +%s)" -ge "$END" ]; do sleep 0.1; done
    - ls /tmp/here cached/file
  artifacts: { paths: ["*.txt"] }
`;
  const file = `stages: [build, test]
${["one", "two", "three"].map(job).join("")}
all: { stage: test, script: cat *.txt }
`;
  await withWorkingCopy(site, file, {}, async (copy) => {
    // All wait for the same moment, so that jobs one after the other would take longer than the limit.
    const end = Math.floor(Date.now() / 1000) + 15;
    const logs = `${copy.path}.logs`;
    const options = ["--json", "--jobs", "3", "--logs", logs, "--variable", `END=${end}`];
    const done = await copy.pipeline(options);
    const { states, jobs } = answerOf(done);
    assert.deepEqual(new Set(Object.values(states)), new Set(["passed"]), done.stderr);
    const longest = jobs.filter(({ stage }) => stage === "build").map(({ seconds }) => seconds);
    assert.ok(Math.max(...longest) < 40, `${longest}`);
    const { host } = copy.site;
    const log = await host.exec(["cat", `${logs}/all.log`]);
    assert.match(log.stdout, /^one\nthree\ntwo$/m);
    const again = await copy.pipeline(["--logs", logs]);
    assert.match(again.stderr, /logs: it exists/);
    await host.exec(["rm", "-r", logs]);
  });
}, ON_ONE_HOST);

onEachHost("Ctrl-C cancels the jobs, and leaves no machine", async (site) => {
  const file = `
stages: [build, test]
waits: { stage: build, script: [echo it waits, sleep 300] }
next: { stage: test, when: always, script: echo next }
`;
  await withWorkingCopy(site, file, {}, async (copy) => {
    const running = copy.startPipeline(["--json"]);
    await running.untilPrinted("waits | it waits");
    await copy.site.host.signal(running, "SIGINT");
    const done = await running.ended;
    assert.equal(done.code, 130, done.stderr);
    assert.deepEqual(answerOf(done).states, { waits: "cancelled", next: "cancelled" });
    assert.deepEqual(await leasesOf(copy.site), []);
  });
});

onEachHost("what a failed job wrote is kept with --keep, and shown by shell", async (site) => {
  const file = "fails: { script: [echo kept >made, exit 3] }\n";
  await withWorkingCopy(site, file, {}, async (copy) => {
    const done = await copy.pipeline(["--keep"]);
    assert.equal(done.code, 3, done.stderr);
    const [, id] = done.stderr.match(/fails.*nspawn-runner shell (\d+)/) ?? [];
    assert.ok(id, done.stderr);
    const shell = await copy.site.call(["shell", id], { stdin: "cat /builds/*/*/made\n" });
    assert.match(shell.stdout, /kept/, shell.stderr);
    const gone = await copy.site.call(["shell", id, "--done"]);
    assert.equal(gone.code, 0, gone.stderr);
  });
});

onEachHost("values of a file of variables are not shown", async (site) => {
  const file = `
job: { script: ['echo "it is $PASSWORD"', 'echo "$PASSWORD" >a'], artifacts: { paths: [a] } }
next: { stage: deploy, script: cat a }
`;
  await withWorkingCopy(site, file, {}, async (copy) => {
    const vars = await copy.site.put("# of the team\nPASSWORD=hush-$$hush-$CI_JOB_NAME\n");
    const done = await copy.pipeline(["--variables-file", vars]);
    assert.equal(done.code, 0, done.stderr);
    assert.doesNotMatch(done.stdout + done.stderr, /hush-/);
    assert.deepEqual(linesOf(done.stdout, "job").filter((line) => line.startsWith("it is")), [
      "it is [MASKED]",
    ]);
  });
}, ON_ONE_HOST);

onEachHost("a commit runs in place of the working copy", async (site) => {
  const file = "job: { script: [cat word, ls] }\n";
  await withWorkingCopy(site, file, { word: "committed\n" }, async (copy) => {
    await copy.git("add", ".");
    await copy.git("commit", "--quiet", "--message=Words");
    await copy.git("tag", "v1");
    await copy.write("word", "changed\n");
    await copy.write("new", "");
    const here = await copy.pipeline([]);
    assert.match(here.stdout, /^job \| changed$/m, here.stderr);
    assert.match(here.stdout, /^job \| new$/m);
    const there = await copy.pipeline(["--commit", "v1"]);
    assert.match(there.stdout, /^job \| committed$/m, there.stderr);
    assert.doesNotMatch(there.stdout, /^job \| new$/m);
    const none = await copy.pipeline(["--commit", "v2"]);
    assert.match(none.stderr, /no commit "v2"/);
  });
}, ON_ONE_HOST);

onEachHost("the file and the repository of a stranger run nothing on the host", async (site) => {
  const touch = (path: string) =>
    `(globalThis.Deno ? 0 : 0, require("fs").writeFileSync("${path}", ""))`;
  const proof = `/var/tmp/nspawn-runner-proof-${site.host.kind}`;
  const file = `
job:
  rules:
    - if: '$CI || import("node:fs").then((fs) => fs.writeFileSync("${proof}-rule", ""))'
    - if: '${touch(`${proof}-require`)}'
  script: "true"
`;
  await withWorkingCopy(site, file, {}, async (copy) => {
    const { host } = copy.site;
    // Root must not run what the configuration of somebody else's repository names.
    const monitor = `${copy.path}/monitor`;
    await copy.write("monitor", `#!/bin/sh\nid -u >${proof}-monitor\n`);
    await host.exec(["chmod", "755", monitor]);
    await copy.git("config", "core.fsmonitor", monitor);
    await host.exec(["chown", "-R", "1234:1234", copy.path]);
    const done = await copy.pipeline([]);
    assert.notEqual(done.stderr, "", "the expression is no rule");
    const found = await host.exec(["sh", "-c", `ls ${proof}* 2>/dev/null`]);
    await host.exec(["sh", "-c", `rm -f ${proof}*`]);
    assert.equal(found.stdout, "");
  });
});

onEachHost("a pipeline that was killed leaves nothing after gc", async (site) => {
  const file = "waits: { script: [echo it waits, sleep 300] }\n";
  await withWorkingCopy(site, file, {}, async (copy) => {
    const running = copy.startPipeline([]);
    await running.untilPrinted("waits | it waits");
    await copy.site.host.signal(running, "SIGKILL");
    await running.ended;
    assert.equal((await leasesOf(copy.site)).length, 1);
    await copy.site.call(["gc"]);
    assert.deepEqual(await leasesOf(copy.site), []);
  });
});
