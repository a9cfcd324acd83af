/** Reading the file of a pipeline: what it includes, and what its rules compare. */

import assert from "node:assert/strict";
import { must } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { helperChroot, jobChroot } from "../hosts/roots.ts";
import { onEachHost } from "../hosts/shared.ts";
import { withPeer } from "./peer.ts";
import { withWorkingCopy, type WorkingCopy } from "./working_copy.ts";

/** Returns the names of the jobs that the pipeline has. */
async function jobsOf(copy: WorkingCopy, words: readonly string[] = []): Promise<string[]> {
  const done = await copy.pipeline(["--list", "--json", ...words]);
  assert.equal(done.code, 0, done.stderr);
  return JSON.parse(done.stdout).jobs.map(({ name }: { name: string }) => name);
}

onEachHost("rules compare variables, changed files and those of the working copy", async (site) => {
  const file = `
include: [{ local: "ci/*.yml", rules: [{ if: $MODE == null }] }]
branch: { script: "true", rules: [{ if: $CI_COMMIT_BRANCH == "topic" }] }
fast: { script: "true", rules: [{ if: $MODE == "fast" }] }
docs: { script: "true", rules: [{ changes: ["docs/*"] }] }
code: { script: "true", rules: [{ changes: ["src/*"] }] }
made: { script: "true", rules: [{ exists: ["**/Makefile"] }] }
old: { script: "true", only: [tags] }
`;
  const files = { "docs/new": "", "a b/Makefile": "", "ci/new.yml": 'new: { script: "true" }\n' };
  await withWorkingCopy(site, file, files, async (copy) => {
    await copy.git("checkout", "--quiet", "-b", "topic");
    assert.deepEqual(await jobsOf(copy), ["new", "branch", "docs", "made"]);
    assert.deepEqual(await jobsOf(copy, ["--variable", "MODE=fast", "--commit", "topic"]), [
      "branch",
      "fast",
      "docs",
      "code",
    ]);
  });
}, ["standalone"]);

onEachHost("files of other servers are fetched with --fetch alone", async (site) => {
  const file = 'include: "http://192.0.2.9:8080/other.yml"\njob: { script: "true" }\n';
  await withWorkingCopy(site, file, {}, async (copy) => {
    const refused = await copy.pipeline(["--list"]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /Cannot read \.gitlab-ci\.yml line 1: it includes http:\/\/192\.0\.2\.9:8080\/other\.yml, .*--fetch/,
    );
    await withHelperOfOwn(copy, () =>
      withPeer(site, async () => {
        await serve(copy, 'other: { script: "true" }\n', async () => {
          assert.deepEqual(await jobsOf(copy, ["--fetch"]), ["other", "job"]);
        });
        const gone = await copy.pipeline(["--list", "--fetch"]);
        assert.match(gone.stderr, /line 1: it includes http.*, which cannot be fetched: .*refused/);
      }));
  });
}, ["standalone"]);

/** Puts Python into the helper root, as its own definition does: the shared one of the tests is smaller. */
async function withHelperOfOwn({ site }: WorkingCopy, body: () => Promise<void>): Promise<void> {
  const helper = `${site.store}/helper`;
  const own = site.host.outerPath(`${helper}-own`);
  await must(["cp", "--archive", await helperChroot(), own]);
  const python = ["bin/python3", "bin/python3.11", "lib/python3", "lib/python3.11"];
  const from = await jobChroot();
  for (const path of python) {
    await must(["cp", "--archive", `${from}/usr/${path}`, `${own}/usr/${path}`]);
  }
  await Deno.remove(site.host.outerPath(helper));
  await Deno.rename(own, site.host.outerPath(helper));
  await body();
}

async function serve({ site }: WorkingCopy, text: string, body: () => Promise<void>) {
  const folder = (await site.host.exec(["mktemp", "-d"])).stdout.trim();
  await site.put(text, `${folder}/other.yml`);
  const server = site.host.start(
    ["ip", "netns", "exec", "peer", "python3", "-m", "http.server", "8080", "-d", folder],
    { timeout: 300_000 },
  );
  try {
    const asked = ["bash", "-c", "exec 3<>/dev/tcp/192.0.2.9/8080"];
    assert.ok(
      await until(async () => (await site.host.exec(asked)).code === 0 ? true : null, 30_000),
    );
    await body();
  } finally {
    await site.host.signal(server, "SIGKILL");
    await server.ended;
    await site.host.exec(["rm", "-rf", folder]);
  }
}
