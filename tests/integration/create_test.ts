/** chroot-create with real packages. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript, type Site } from "../hosts/site.ts";

/** Long enough for a slow mirror. */
const PATIENCE = { timeout: 600_000 };

async function freshStore(site: Site): Promise<Site> {
  const store = `${site.store}/.tests/created`;
  return await site.with({ store });
}

onEachHost("chroot-create creates a chroot that runs a job", async (site) => {
  const own = await freshStore(site);
  await own.put('shell = "sh"\n', `${own.definitions}/small.toml`);
  const listed = await own.call(["chroot-list"]);
  assert.match(listed.stdout, /^small /m, "it is defined");
  const made = await own.call(["chroot-create", "small", "--suite", "bookworm"], PATIENCE);
  assert.equal(made.code, 0, made.stderr);
  assert.match(`${made.stdout}${made.stderr}`, /bookworm/);
  try {
    await assertRunsJobs(own);
    const again = await own.call(["chroot-create", "small"]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /chroot-maintenance/);
    const [chroot] = JSON.parse((await own.call(["chroot-list", "--json"])).stdout);
    assert.equal(chroot.name, "small");
    assert.equal(chroot.state, "ready");
    assert.equal(chroot.origin, "bookworm");
  } finally {
    const removed = await own.call(["chroot-remove", "small"]);
    assert.equal(removed.code, 0, removed.stderr);
  }
  await assert.rejects(Deno.stat(own.host.outerPath(`${own.store}/small`)));
}, ["standalone"]);

async function assertRunsJobs(site: Site): Promise<void> {
  const tree = await site.host.exec(["stat", "-Lc", "%a %u:%g", `${site.store}/small`]);
  assert.equal(tree.stdout, "755 0:0\n");
  const id = newJob();
  const prepared = await site.call(["prepare", "small", "--id", id]);
  try {
    assert.equal(prepared.code, 0, prepared.stderr);
    const script = `. /etc/os-release && echo $VERSION_CODENAME
cat /proc/1/comm
git --version && python3 --version && ls /etc/ssl/certs/ca-certificates.crt
getent hosts localhost
`;
    const done = await runScript(site, id, script);
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    assert.match(done.stdout, /^bookworm\nsystemd\ngit version/);
    // The chroot is not removed while a job runs from it.
    const removed = await site.call(["chroot-remove", "small"]);
    assert.equal(removed.code, 1, removed.stderr);
    const ids = await runScript(site, id, "cat /etc/machine-id\n");
    assert.match(ids.stdout, /^[0-9a-f]{32}\n$/);
  } finally {
    assert.equal((await site.call(["cleanup", "--id", id])).code, 0);
  }
}

onEachHost("a killed chroot-create leaves nothing that is taken for a chroot", async (site) => {
  const own = await freshStore(site);
  const running = own.start(["chroot-create", "half", "--suite", "bookworm"], PATIENCE);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await own.host.signal(running, "SIGTERM");
  assert.notEqual((await running.ended).code, 0);
  assert.equal((await own.call(["chroot-list"])).stdout, "");
  const left = await own.host.exec([
    "find",
    own.store,
    "-mindepth",
    "2",
    "-type",
    "d",
    "-name",
    "etc",
  ]);
  assert.equal(left.stdout, "");
});

onEachHost("chroot-create refuses an unknown suite", async (site) => {
  const own = await freshStore(site);
  const done = await own.call(["chroot-create", "none", "--suite", "no such/suite"]);
  assert.ok([1, 2].includes(done.code), done.stderr);
  assert.equal((await own.call(["chroot-list"])).stdout, "");
}, ["standalone"]);
