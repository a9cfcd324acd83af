/** What the files of a stranger, or the owner of a working copy, must not reach by `pipeline`. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { leasesOf } from "../conformance/stages.ts";
import { withWorkingCopy } from "./working_copy.ts";

onEachHost(
  "a cache of a working copy is not for another owner of the same folder",
  async (site) => {
    const file = `
job:
  cache: { key: mine, paths: [word] }
  script: ['cat word || echo no word', echo secret >word]
`;
    await withWorkingCopy(site, file, {}, async (copy) => {
      const first = await copy.pipeline([]);
      assert.match(first.stdout, /^job \| no word$/m, first.stderr);
      await copy.site.host.exec(["chown", "-R", "1234:1234", copy.path]);
      const other = await copy.pipeline([]);
      assert.match(other.stdout, /^job \| no word$/m, other.stderr);
      assert.match((await copy.pipeline([])).stdout, /^job \| secret$/m);
    });
  },
);

onEachHost("Ctrl-C ends a pipeline that still reads its working copy", async (site) => {
  await withWorkingCopy(site, "job: { script: echo }\n", {}, async (copy) => {
    const filter = `${copy.path}.filter`;
    const { host } = copy.site;
    await copy.site.put("#!/bin/sh\ntouch $0.runs; sleep 300\n").then((path) =>
      host.exec(["install", "-m", "755", path, filter])
    );
    await copy.write(".gitattributes", "* filter=slow\n");
    await copy.write("file", "one\n");
    await copy.git("add", ".");
    await copy.git("commit", "--quiet", "--message=Files");
    await copy.git("config", "filter.slow.clean", filter);
    await copy.write("file", "two\n");
    const running = copy.startPipeline([]);
    await host.exec(["sh", "-c", `until [ -e ${filter}.runs ]; do sleep 0.1; done`]);
    await host.signal(running, "SIGINT");
    const done = await running.ended;
    await host.exec(["rm", "-f", filter, `${filter}.runs`]);
    assert.equal(done.code, 130, done.stderr);
    assert.doesNotMatch(done.stderr, /Cannot/);
  });
});

onEachHost(
  "a pipe or a folder in the place of the file of a pipeline is not read",
  async (site) => {
    await withWorkingCopy(site, "job: { script: echo }\n", {}, async (copy) => {
      // git has no folders, and so the snapshot does not have this one.
      for (
        const [make, reason] of [["mkfifo", "it is no regular file"], ["mkdir", "no such file"]]
      ) {
        const file = `${copy.path}/.gitlab-ci.yml`;
        await copy.site.host.exec(["sh", "-euc", `rm -rf ${file}; ${make} ${file}`]);
        const done = await copy.pipeline(["--list"]);
        assert.match(done.stderr, new RegExp(`Cannot read \\.gitlab-ci\\.yml: .*${reason}`));
      }
      const done = await copy.pipeline(["--variables-file", "/etc"]);
      assert.match(done.stderr, /Cannot read variables of \/etc: no such file/);
    });
  },
);

onEachHost(
  "Ctrl-C ends a pipeline while its file is read, which may take forever",
  async (site) => {
    const file = `job: { script: echo, rules: [{ if: '(() => { for (;;); })()' }] }\n`;
    await withWorkingCopy(site, file, {}, async (copy) => {
      const running = copy.startPipeline([]);
      const { host, store } = copy.site;
      const answer = "pgrep -f pipeline-expand.*/tmp/answer";
      await host.exec(["sh", "-c", `until ${answer}; do sleep 0.1; done`]);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await host.signal(running, "SIGINT");
      const done = await running.ended;
      assert.equal(done.code, 130, done.stderr);
      assert.deepEqual(await leasesOf(copy.site), []);
      assert.equal((await host.exec(["ls", "-A", `${store}/.pipelines`])).stdout, "");
    });
  },
);
